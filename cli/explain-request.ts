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
  const plans = decision.plans.flatMap((plan, i) => ['', ...planned(plan, i === 0 ? titleOf(plan) : ANEW)]);
  const attempts = decision.attempts.length > 0 ? decision.attempts.flatMap(attempt) : ['     none'];
  const asides = (decision.asides ?? []).map(aside);
  return `${[...opening(decision), ...plans, '', 'Attempts:', ...attempts, ...asides].join('\n')}\n`;
}

function opening(decision: Decision): string[] {
  const { request_id, path, ended_at, key, dropped, cascade, hooks, fail_mode, outcome } = decision;
  return [
    `${request_id}  ${path ?? ''}  ${ended_at ? `ended ${ended_at}` : 'under way'}`,
    ...(key === undefined ? [] : [asked(decision)]),
    ...(dropped ? [`left out of the request, as the target could not take it: ${dropped.join(', ')}`] : []),
    ...(cascade
      ? [
          `cascade: ${Object.entries(cascade)
            .map(one => one.join(' '))
            .join(', ')}`,
        ]
      : []),
    ...(hooks ? [`hooks: ${hooks.map(({ hook, outcome, ms }) => `${hook} ${outcome} (${ms} ms)`).join(', ')}`] : []),
    ...(fail_mode ? [`the counters were away: ${fail_mode}`] : []),
    ...(outcome ? [ending(outcome)] : []),
  ];
}

const asked = ({ model, stream, key, tenant, route }: Decision): string =>
  `model '${model}'${stream ? ', streamed' : ''}, for key ${key} (tenant ${tenant}); ${route ? `route ${route}` : 'no route'}`;

function ending({
  status,
  failure,
  ms,
  attempts,
  fallbacks,
  first_token_ms,
  cache,
  cost_usd,
}: NonNullable<Decision['outcome']>): string {
  return [
    `${status}${failure ? ` ${failure}` : ''} after ${ms} ms`,
    ...(first_token_ms === undefined ? [] : [`first token at ${first_token_ms} ms`]),
    ...(attempts === undefined ? [] : [`${counted(attempts, 'attempt')}, ${counted(fallbacks ?? 0, 'fallback')}`]),
    `cost ${cost_usd} USD`,
    `cache ${cache}`,
  ].join('; ');
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

type Plan = Decision['plans'][number];

const titleOf = ({ route, strategy, figure }: Plan): string =>
  strategy === null
    ? 'Straight to its provider:'
    : `Backends of ${route}, in the order to try them (${strategy}${figure === undefined ? '' : `, by ${figure}`}):`;
const ANEW = 'A budget was spent, so that it began anew:';

const planned = ({ candidates, excluded }: Plan, title: string): string[] => [
  title,
  ...candidates.map(candidate),
  ...excluded.map(({ backend, reason }) => `  -  ${backend}  left out: ${reason}`),
];

function candidate(
  { backend, provider, model, priority, weight, score, attempts }: Plan['candidates'][number],
  index: number,
): string {
  const facts = [
    `${provider}, model ${model}`,
    `priority ${priority}, weight ${weight}`,
    ...(score === undefined ? [] : [`score ${score ?? 'not known'}`]),
    attempts.length > 0 ? `attempt ${attempts.join(', ')}` : 'not tried',
  ];
  return `  ${index + 1}. ${backend}  ${facts.join('; ')}`;
}

function attempt(one: Decision['attempts'][number]): string[] {
  const took = `${one.ms} ms${one.first_token_ms === null ? '' : `, first token at ${one.first_token_ms} ms`}`;
  const facts = [
    `${one.failure ? `${one.failure} (status ${one.status})` : `status ${one.status}`} after ${took}`,
    `${one.prompt_tokens} + ${one.completion_tokens} tokens${one.estimated ? ' (estimated)' : ''}`,
    one.cost_usd === null ? 'price not known' : `cost ${one.cost_usd} USD`,
    ...(one.possibly_billed ? ['perhaps billed'] : []),
  ];
  return [
    `  ${one.attempt}  ${one.purpose}: ${one.provider}, model ${one.upstream_model} at ${one.endpoint}`,
    `     ${facts.join('; ')}`,
  ];
}

const aside = (one: NonNullable<Decision['asides']>[number]): string =>
  'not_sent' in one
    ? `  -  nothing was sent to ${one.backend}: ${one.not_sent}`
    : `  -  another one after ${one.backend}: ${one.fell_back}`;
