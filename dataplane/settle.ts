// After an attempt, off the client's path: its usage (the provider's, or counted by us), its cost, its row in the cost log.
import { costOf, ratesFor } from '#core/accounting/cost.ts';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { dearFallbackAlert } from '#core/admission/alerts.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, type NanoUsd, nanoUsd, tokens } from '#core/units.ts';
import type { AttemptResult } from './attempt.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';
import { estimateInputTokens } from './frontends/index.ts';
import { messagesOf } from './http/sse.ts';
import type { Ports } from './ports.ts';
import type { Provider } from './providers/provider.ts';

export type Attempted = {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly candidate: Candidate;
  readonly provider: Provider;
  /** Origin of the endpoint. */
  readonly endpoint: string;
  /** From 0. */
  readonly attempt: number;
  readonly fallbackPosition: number;
  readonly retryPosition: number;
  readonly isFirst: CostRecord['isFirst'];
  readonly at: EpochMillis;
  readonly result: AttemptResult;
  /** Its share of the time of its replica, where that is the price. */
  readonly gpuSeconds: number | undefined;
};

/** The cost of what the provider reported; null: the price is not known; undefined: the usage, or the time on GPUs, is not known yet. */
export function reportedCost({ model }: Candidate, usage: Usage | undefined): NanoUsd | null | undefined {
  if (!usage || model.price?.gpu) return undefined;
  return model.price ? costOf(usage, model.price) : null;
}

export function settle(attempted: Attempted, { costLog, observer, alerts, estimateTokens }: Ports): void {
  const { result } = attempted;
  const record = (usage: Usage, estimated: boolean) => {
    const row = costRecord(attempted, usage, estimated);
    costLog.record(row);
    observer.attempted(row);
    warnOfCost(attempted, row, alerts);
  };
  if (result.usage) record(result.usage, false);
  else if (result.kind === 'refused') record(noUsage, false);
  else
    estimatedUsage(attempted, estimateTokens).then(
      usage => record(usage, true),
      () => record(noUsage, true),
    );
}

/** The first backend of the plan is what a fallback stands in for. */
function warnOfCost(
  { call: { plan }, candidate }: Attempted,
  { fallbackPosition, usage, cost }: CostRecord,
  alerts: Ports['alerts'],
): void {
  const [primary] = plan.candidates;
  if (fallbackPosition === 0 || cost === null || !plan.route || !primary) return;
  const alert = dearFallbackAlert({ route: plan.route, primary, used: candidate, usage, cost });
  if (alert) alerts.emit(alert);
}

/** Counts what went in and what came out with our own tokenizer: for streams that were left or cut, and for providers that tell nothing. */
async function estimatedUsage(
  { exchange, call, result, provider }: Attempted,
  estimateTokens: Ports['estimateTokens'],
): Promise<Usage> {
  const request = exchange.frontend.decode(call.body);
  const inputUncached = request.ok
    ? await estimateInputTokens(request.value, estimateTokens)
    : tokens(await estimateTokens(call.body.bytes.toString()));
  return { ...noUsage, inputUncached, output: tokens(await outputTokens(result, provider, estimateTokens)) };
}

async function outputTokens(
  { streamed, reply }: AttemptResult,
  provider: Provider,
  estimateTokens: Ports['estimateTokens'],
): Promise<number> {
  if (reply) return estimateTokens(typeof reply.body === 'string' ? reply.body : reply.body.toString());
  if (!streamed) return 0;
  const { sample, bytes } = streamed;
  // A first block larger than the whole sample.
  if (sample.length === 0) return Math.ceil(bytes / BYTES_PER_TOKEN);
  const counted = await estimateTokens(textOf(sample, provider));
  return Math.ceil((counted * bytes) / sample.length);
}

/** Four bytes of text a token, and as much of frame again. */
const BYTES_PER_TOKEN = 8;

/** What a piece of the provider's stream says, of all kinds of content. */
function textOf(block: Buffer, provider: Provider): string {
  const decoder = provider.streamDecoder();
  let text = '';
  for (const message of messagesOf(block))
    for (const event of decoder.push(message)) {
      if ('text' in event) text += event.text;
      else if (event.kind === 'tool-call-start') text += event.name;
      else if (event.kind === 'tool-call-delta') text += event.json;
    }
  return text;
}

function costRecord(attempted: Attempted, usage: Usage, estimated: boolean): CostRecord {
  const { exchange, call, candidate, result } = attempted;
  const { entry } = call.key;
  const { price } = candidate.model;
  return {
    requestId: exchange.id,
    attempt: attempted.attempt,
    state: 'settled',
    at: attempted.at,
    tenant: entry.tenant,
    keyId: entry.id,
    keyName: `${entry.namespace}/${entry.name}`,
    keyAlias: entry.alias,
    userId: call.envelope.controls.user,
    tags: { ...entry.tags, ...call.tags },
    route: call.plan.route?.id,
    operation: exchange.frontend.operation,
    modelRequested: call.envelope.model,
    model: candidate.model.name,
    upstreamModel: result.model ?? candidate.model.upstreamName,
    provider: candidate.provider.id,
    endpoint: attempted.endpoint,
    dialect: exchange.frontend.dialect,
    streamed: call.envelope.stream,
    upstreamStatus: result.upstreamStatus,
    failure: result.kind === 'abandoned' ? 'client_closed' : result.failure?.class,
    fallbackPosition: attempted.fallbackPosition,
    retryPosition: attempted.retryPosition,
    isFirst: attempted.isFirst,
    upstreamId: result.upstreamId,
    usage,
    estimated,
    cost: price ? costOf(usage, price, attempted.gpuSeconds) : null,
    reserved: nanoUsd(0),
    exceeded: false,
    leaseUntil: attempted.at,
    rates: price && ratesFor(usage, price),
    priceSource: price?.source,
    priceVersion: price?.version,
    gpuSeconds: attempted.gpuSeconds,
    cache: 'bypass',
    similarity: undefined,
    saved: nanoUsd(0),
    possiblyBilled: result.failure?.possiblyBilled === true,
    firstToken: result.firstToken,
    duration: result.duration,
  };
}
