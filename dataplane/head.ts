// The response headers of an answer: ours, and LiteLLM's names beside them.

import type { CostRecord } from '#core/accounting/cost-record.ts';
import { formatUsd } from '#core/accounting/money.ts';
import type { LimitDemand } from '#core/admission/demand.ts';
import type { ModelEntry, ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { NanoUsd } from '#core/units.ts';
import type { HttpHeaders } from '#platform/http-client.ts';

export const VERSION = '0.1.0';

export type HeadFacts = {
  readonly requestId: string;
  readonly modelRequested: string;
  readonly routeId: string | undefined;
  /** Who answered. */
  readonly candidate: { readonly provider: Pick<ProviderEntry, 'id'>; readonly model: Pick<ModelEntry, 'name'> };
  /** Attempts made, this one included, and how many of them went to another backend than the one before. */
  readonly attempts: number;
  readonly fallbacks: number;
  readonly overheadMs: number;
  readonly totalMs: number;
  /** Fields of the request that the target could not take. */
  readonly dropped: readonly string[];
  readonly cache: CostRecord['cache'];
  /** Of an answer that was kept. */
  readonly kept?: KeptFacts | undefined;
  /** undefined: not known before the body; null: the price is not known. */
  readonly cost: NanoUsd | null | undefined;
  readonly upstream: HttpHeaders;
  readonly limits: readonly RemainingLimit[];
  /** Of a cascade. */
  readonly verdicts?: ReadonlyMap<string, string> | undefined;
};

/** `similarity`: of the question to the one that was answered, for keys that may see it. */
export type KeptFacts = { readonly key: string; readonly similarity: number | undefined };

/** A limit of the key and what was left of it after this request. */
export type RemainingLimit = Pick<LimitDemand, 'kind' | 'max'> & { readonly remaining: number };

/** `[name, value, name, value, ...]`, as node's writeHead takes them fastest. */
export function headOf(facts: HeadFacts): string[] {
  const { candidate, attempts, fallbacks, cost } = facts;
  const { provider, model } = candidate;
  const overhead = facts.overheadMs.toFixed(2);
  const head = [
    'x-request-id', facts.requestId,
    'request-id', facts.requestId,
    'x-tollgate-provider', provider.id,
    'x-tollgate-model', headerSafe(model.name),
    'x-tollgate-attempts', String(attempts),
    'x-tollgate-fallback', fallbacks > 0 ? 'true' : 'false',
    'x-tollgate-cache', facts.cache,
    'x-tollgate-overhead-ms', overhead,
    'x-litellm-call-id', facts.requestId,
    'x-litellm-version', VERSION,
    'x-litellm-model-id', headerSafe(`${provider.id}/${model.name}`),
    'x-litellm-model-group', headerSafe(facts.modelRequested),
    'x-litellm-attempted-retries', String(Math.max(0, attempts - 1 - fallbacks)),
    'x-litellm-attempted-fallbacks', String(fallbacks),
    'x-litellm-overhead-duration-ms', overhead,
    'x-litellm-response-duration-ms', facts.totalMs.toFixed(2),
  ]; // biome-ignore format: one header a line
  if (facts.routeId !== undefined) head.push('x-tollgate-route', facts.routeId);
  if (facts.dropped.length > 0) head.push('x-tollgate-dropped', headerSafe(listed(facts.dropped)));
  if (cost != null) {
    const usd = formatUsd(cost);
    head.push('x-tollgate-cost-usd', usd, 'x-litellm-response-cost', usd);
  }
  if (facts.kept) pushKept(head, facts.kept);
  pushVerdicts(head, facts.verdicts);
  pushLimits(head, facts.limits);
  for (const name in facts.upstream) {
    const value = facts.upstream[name];
    if (typeof value === 'string' && isPassedOn(name)) head.push(`llm_provider-${name}`, headerSafe(value));
  }
  return head;
}

/** Clients give up on large heads (Node's at 16 KiB), and a long history can hold thousands of parts that a target cannot take. */
const LISTED_MAX = 1000;

/** As many names as fit, and how many do not. */
export function listed(names: readonly string[]): string {
  const all = names.join(',');
  if (all.length <= LISTED_MAX) return all;
  const shown = all.slice(0, LISTED_MAX).split(',').slice(0, -1);
  return [...shown, `+${names.length - shown.length}`].join(',');
}

function pushKept(head: string[], { key, similarity }: KeptFacts): void {
  head.push('x-litellm-cache-key', key);
  if (similarity === undefined) return;
  const text = String(Math.round(similarity * 1e4) / 1e4);
  head.push('x-tollgate-similarity', text, 'x-litellm-semantic-similarity', text);
}

/** Each backend that was asked, and what became of its answer. */
export function pushVerdicts(head: string[], verdicts: ReadonlyMap<string, string> | undefined): void {
  if (verdicts && verdicts.size > 0) head.push('x-tollgate-cascade', [...verdicts].map(one => one.join('=')).join(','));
}

/** OpenAI's names, which LiteLLM has too; of several limits of a kind, the one with the least left. */
export function pushLimits(head: string[], limits: readonly RemainingLimit[]): void {
  for (const kind of ['requests', 'tokens'] as const) {
    let tightest: RemainingLimit | undefined;
    for (const limit of limits) if (limit.kind === kind && limit.remaining < (tightest?.remaining ?? Infinity)) tightest = limit;
    if (!tightest) continue;
    head.push(`x-ratelimit-limit-${kind}`, String(tightest.max));
    head.push(`x-ratelimit-remaining-${kind}`, String(Math.max(0, tightest.remaining)));
  }
}

/** What of the upstream's headers a client may see: its limits, its ids, its time. Others name hosts and organisations. */
const passedOn: ReadonlySet<string> = new Set([
  'request-id',
  'x-request-id',
  'openai-processing-ms',
  'retry-after',
  'retry-after-ms',
  'x-ms-region',
  'apim-request-id',
]);
const isPassedOn = (name: string): boolean =>
  passedOn.has(name) || name.startsWith('x-ratelimit-') || name.startsWith('anthropic-ratelimit-');

const UNSAFE = /[^\x20-\x7e]/;
/** Text from clients, models and configuration as a header value: printable ASCII, the rest percent-encoded. */
export const headerSafe = (text: string): string =>
  UNSAFE.test(text)
    ? text.slice(0, 1024).replace(/[^\x20-\x7e]/gu, c => encodeURIComponent(c.isWellFormed() ? c : '\ufffd'))
    : text;
