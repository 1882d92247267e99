// `tollgate explain REQUEST_ID`: what a running gateway decided about one of its last requests, in words.
import type { Decision } from '#dataplane/decisions.ts';
import { BadSetting } from './settings.ts';

const TIMEOUT_MS = 10_000;

/** @param url of the internal listener */
export async function decisionAt(url: string, id: string): Promise<Decision> {
  const page = new URL(`/debug/decisions/${encodeURIComponent(id)}`, url);
  const answer = await fetch(page, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(error => {
    throw new BadSetting(`${page.origin} does not answer: ${error.cause?.message ?? error.message}`);
  });
  const body = (await answer.json().catch(() => ({}))) as Decision & { readonly error?: { readonly message: string } };
  if (answer.ok) return body;
  throw new BadSetting(body.error?.message ?? `${page} answers ${answer.status}`);
}

export function told(decision: Decision): string {
  const plans = decision.plans.flatMap((plan, i) => [
    '',
    i === 0 ? backendsOf(plan.strategy) : ANEW,
    ...plan.candidates.map(candidate),
    ...plan.excluded.map(excluded),
  ]);
  const attempts = decision.attempts.map(attempt);
  return `${[...opening(decision), ...plans, '', 'Attempts:', ...(attempts.length > 0 ? attempts : ['     none'])].join('\n')}\n`;
}

function opening({
  request_id,
  path,
  ended_at,
  tenant,
  key,
  model,
  stream,
  route,
  dropped,
  fail_mode,
  outcome,
}: Decision): string[] {
  const lines = [`${request_id}  ${path ?? ''}  ${ended_at ? `ended ${ended_at}` : 'under way'}`];
  if (key)
    lines.push(
      `model '${model}'${stream ? ', streamed' : ''}, for key ${key} (tenant ${tenant}); ${route ? `route ${route}` : 'no route'}`,
    );
  if (dropped) lines.push(`left out of the request, as the target could not take it: ${dropped.join(', ')}`);
  if (fail_mode) lines.push(`the counters were away: ${fail_mode}`);
  if (outcome) lines.push(ending(outcome));
  return lines;
}

const ending = ({
  status,
  failure,
  ms,
  attempts,
  fallbacks,
  first_token_ms,
  cache,
  cost_usd,
}: NonNullable<Decision['outcome']>): string =>
  [
    `${status}${failure ? ` ${failure}` : ''} after ${ms} ms`,
    ...(first_token_ms === undefined ? [] : [`first token at ${first_token_ms} ms`]),
    ...(attempts === undefined ? [] : [`${counted(attempts, 'attempt')}, ${counted(fallbacks ?? 0, 'fallback')}`]),
    `cost ${cost_usd} USD`,
    `cache ${cache}`,
  ].join('; ');

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const backendsOf = (strategy: string | null): string =>
  strategy === null ? 'Straight to its provider:' : `Backends, in the order to try them (${strategy}):`;
const ANEW = 'A budget was spent, so that it began anew:';

type Plan = Decision['plans'][number];

const candidate = ({ backend, provider, model, priority, weight, attempts }: Plan['candidates'][number], index: number): string =>
  `  ${index + 1}. ${backend}  ${provider}, model ${model}; priority ${priority}, weight ${weight}; ${attempts.length > 0 ? `attempt ${attempts.join(', ')}` : 'not tried'}`;

const excluded = ({ backend, reason }: Plan['excluded'][number]): string => `  -  ${backend}  left out: ${reason}`;

function attempt(one: Decision['attempts'][number]): string {
  const end = one.failure ? `${one.failure}${one.status ? ` (status ${one.status})` : ''}` : `status ${one.status}`;
  const cost = one.cost_usd === null ? 'price not known' : `cost ${one.cost_usd} USD`;
  return [
    `  ${one.attempt}  ${one.purpose}: ${one.provider}, model ${one.upstream_model} at ${one.endpoint}`,
    `     ${end} after ${one.ms} ms${one.first_token_ms === null ? '' : `, first token at ${one.first_token_ms} ms`}; ${one.prompt_tokens} + ${one.completion_tokens} tokens${one.estimated ? ' (estimated)' : ''}, ${cost}${one.possibly_billed ? ', perhaps billed' : ''}`,
  ].join('\n');
}
