// What an answer costs that the provider goes on with by itself, after its reply (`background`): told when it is over, and asked for until then.
import type { Usage } from '#core/chat/usage.ts';
import { askOnce } from '#platform/http-ask.ts';
import type { HttpRequest } from '#platform/http-client.ts';
import type { Ports } from './ports.ts';
import type { Address, Provider, Target } from './providers/provider.ts';
import { parseJson, withQuery } from './upstream-request.ts';

const FIRST_LOOK_MS = 1_000;
const LOOKS_APART_MAX_MS = 15_000;
const LOOK = { timeoutMs: 30_000, maxBytes: 64 * 1024 * 1024 };

/**
 * @param until monotonic
 * @returns undefined: it did not come to an end in time, was deleted, or nobody told
 */
export async function usageInBackground(
  wire: Provider,
  target: Target,
  id: string,
  until: number,
  { http, monotonic }: Pick<Ports, 'http' | 'monotonic'>,
): Promise<Usage | undefined> {
  const { keeps } = wire;
  if (!keeps) return undefined;
  for (let pause = FIRST_LOOK_MS; monotonic() < until; pause = Math.min(pause * 1.5, LOOKS_APART_MAX_MS)) {
    await passed(Math.min(pause, until - monotonic()));
    const told = await askOnce(http, keptRequest(keeps.address(target, id, ''), 'GET', '', target), LOOK);
    if (told?.status === 404) return undefined;
    const reply = told?.status === 200 ? parseJson(told.body) : undefined;
    const state = reply?.ok ? keeps.stateOf(reply.value) : undefined;
    if (state?.isOver) return state.usage;
  }
  return undefined;
}

const passed = (ms: number) => new Promise(resolve => setTimeout(resolve, Math.max(0, ms)));

/** A request about something that a provider keeps. @param query without the question mark */
export function keptRequest(
  { origin, path, headers }: Address,
  method: string,
  query: string,
  { provider }: Target,
): HttpRequest {
  headers['accept-encoding'] = 'identity';
  return { method, origin, path: withQuery(path, query), headers, body: null, connectTimeoutMs: provider.timeouts.connect };
}
