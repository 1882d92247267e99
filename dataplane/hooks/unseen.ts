// What goes by hooks unseen must not go: who lets requests in by another way than the loop asks here whether their route has checks.
import type { Operation } from '#core/chat/dialect.ts';
import { type Failure, failure } from '#core/failure.ts';
import { matchRoute } from '#core/plan/route-index.ts';
import type { Hook, RouteEntry } from '#core/snapshot/snapshot.ts';
import type { Call } from '../call.ts';

/** Whether a route has hooks that decide; about requests, answers, or either. */
export const hasChecks = (route: RouteEntry | undefined, when?: Hook['when']): boolean =>
  route?.hooks?.some(hook => hook.mode === 'Decide' && (when === undefined || hook.when === when)) === true;

/** Why a request that its route could not look into is not let in. */
export const unseen = (what: string, param?: string): Failure =>
  failure('unsupported_parameter', {
    message: `The route checks what is asked and answered, and cannot look into ${what}.`,
    ...(param !== undefined && { param }),
  });

/** Why what would be passed on as it is is not: the checks of its route could not see what is said. */
export function uncheckedPassing(operation: Operation, route: RouteEntry | undefined): Failure | undefined {
  if (operation === 'Realtime') return hasChecks(route) ? unseen('a realtime session') : undefined;
  return hasChecks(route, 'After') ? unseen(`answers of ${operation}`) : undefined;
}

/** What the lines of a batch may be. */
const BATCHED: readonly Operation[] = ['Chat', 'Responses', 'Completions', 'Embeddings'];

/** @param names of the model of a batch. @returns why it is not made: alone, its lines would be checked */
export function uncheckedBatch(
  { config, key, facts }: Pick<Call, 'config' | 'key' | 'facts'>,
  names: readonly string[],
): Failure | undefined {
  const isChecked = names.some(model =>
    BATCHED.some(operation => hasChecks(matchRoute(config.routes, key.entry, { ...facts, operation, model }))),
  );
  return isChecked ? unseen('the lines of a batch', 'input_file_id') : undefined;
}
