// An attempt's row in the cost log: open before it is sent; afterwards, off the client's path, with its usage and its cost.
import { costOf, isPartlyPriced, ratesFor } from '#core/accounting/cost.ts';
import { type CostRecord, MAX_TEXT } from '#core/accounting/cost-record.ts';
import { outputBound } from '#core/admission/bound.ts';
import { callsAtMost, untoldCalls } from '#core/admission/tool-bound.ts';
import type { AnyDialect, Operation } from '#core/chat/dialect.ts';
import { type ServiceAsked, servedAs } from '#core/chat/service.ts';
import type { ToolsAsked } from '#core/chat/tools-asked.ts';
import { billedTools, noUsage, type ToolCalls, toolCallsIn, type Usage } from '#core/chat/usage.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, epochMillis, millis, type NanoUsd, nanoUsd, tokens } from '#core/units.ts';
import type { AttemptResult } from './attempt.ts';
import type { Estimate } from './bounds.ts';
import type { Call } from './call.ts';
import type { Exchange, PassedExchange } from './exchange.ts';
import { estimateInputTokens } from './frontends/index.ts';
import { messagesOf } from './http/sse.ts';
import { meterOf } from './passthrough/meters.ts';
import type { Provider } from './providers/provider.ts';

/** An attempt as far as it is known before it is sent. */
export type Begun = {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly candidate: Candidate;
  /** How its conversations are read; absent: there is none. */
  readonly chat: Provider | undefined;
  /** See Prepared. */
  readonly tools?: ToolsAsked | undefined;
  readonly service?: ServiceAsked | undefined;
  /** Origin of the endpoint. */
  readonly endpoint: string;
  /** From 0. */
  readonly attempt: number;
  readonly purpose: CostRecord['purpose'];
  readonly fallbackPosition: number;
  readonly retryPosition: number;
  readonly isFirst: CostRecord['isFirst'];
  readonly cache: CostRecord['cache'];
  readonly at: EpochMillis;
  readonly leaseUntil: EpochMillis;
};

/** The cost of what the provider reported; null: the price is not known; undefined: the usage is not known. */
export function reportedCost({ model }: Candidate, usage: Usage | undefined): NanoUsd | null | undefined {
  if (!usage || model.price?.gpu) return undefined;
  return model.price && !isPartlyPriced(usage, model.price) ? costOf(usage, model.price) : null;
}

/**
 * The row of an attempt that is over. Its usage is the provider's, or counted by us, which takes a while; an attempt that was refused used nothing.
 * @param gpuSeconds for models priced by the time of their GPUs
 */
export function settledRow(
  begun: Begun,
  open: CostRecord,
  result: AttemptResult,
  gpuSeconds: number | undefined,
  estimate: Estimate,
): CostRecord | Promise<CostRecord> {
  if (result.usage && !result.streamed)
    return settled(begun, open, { result, usage: withUntold(begun, result.usage), estimated: false, gpuSeconds });
  if (result.kind === 'refused') return settled(begun, open, { result, usage: noUsage, estimated: false, gpuSeconds });
  return estimatedUsage(begun, result, estimate)
    .catch(() => noUsage)
    .then(counted => withUntold(begun, withSeen(begun, result, counted)))
    .then(usage => settled(begun, open, { result, usage, estimated: true, gpuSeconds }));
}

/** Where an answer does not count the calls of a tool, or does not say how it was served: what was asked for holds. */
export function withUntold({ tools, service, candidate }: Pick<Begun, 'tools' | 'service' | 'candidate'>, usage: Usage): Usage {
  const untold = tools ? untoldCalls(tools, candidate.model.price) : {};
  const calls = Object.keys(untold).length > 0 && { toolCalls: { ...untold, ...usage.toolCalls } };
  if (!calls && !service) return usage;
  return { ...usage, ...calls, ...(service && { service: servedAs(service, usage.service) }) };
}

/** Calls that a stream showed before it was left, or that may have been made where nothing was to be seen. */
function withSeen(begun: Begun, result: AttemptResult, usage: Usage): Usage {
  const seen = isUnseen(begun, result) ? unseenCalls(begun, result) : (result.toolCalls ?? {});
  const told = usage.toolCalls ?? {};
  const most = billedTools.map(tool => [tool, Math.max(seen[tool] ?? 0, told[tool] ?? 0)] as const);
  return { ...usage, ...toolCallsIn(most) };
}

/** As many as the request allows, and no more than the time does. */
function unseenCalls({ tools, candidate }: Begun, { duration }: AttemptResult): ToolCalls {
  const { price } = candidate.model;
  const inTime = Math.ceil((duration * CALLS_PER_SECOND) / 1000);
  const most = tools && price ? callsAtMost(tools, price) : [];
  return toolCallsIn(most.map(([tool, count]) => [tool, Math.min(count, inTime)] as const)).toolCalls ?? {};
}

/** Of one tool, which the model waits for. */
const CALLS_PER_SECOND = 1;

/** Counts what went in and what came out with our own tokenizer: for streams that were left or cut, and for providers that tell nothing. */
async function estimatedUsage(begun: Begun, result: AttemptResult, estimate: Estimate): Promise<Usage> {
  const { exchange, call, chat } = begun;
  if (exchange.action === 'pass') return passedEstimate(exchange, call);
  if (exchange.action === 'unary') {
    const { tokens: inputUncached } = await exchange.frontend.count(call.body, estimate);
    return { ...noUsage, inputUncached };
  }
  const output = tokens(isUnseen(begun, result) ? unseenTokens(begun, result) : await outputTokens(result, chat, estimate));
  // Some wires begin with the count of the input, cached tokens and all, and a placeholder for that of the output.
  if (result.usage) return { ...result.usage, output: tokens(Math.max(result.usage.output, output)) };
  const request = exchange.frontend.decode(call.body);
  const inputUncached = request.ok
    ? await estimateInputTokens(request.value, estimate)
    : tokens(await estimate(call.body.bytes.toString()));
  return { ...noUsage, inputUncached, output };
}

/** Nobody knows what was answered, and it may be billed. */
function isUnseen({ call }: Begun, { kind, streamed, reply }: AttemptResult): boolean {
  const isLeft = (kind === 'abandoned' || kind === 'lost') && !streamed && !reply;
  return isLeft || call.envelope.inBackground === true;
}

/** A form that never came to its end was nothing that a provider could work on. */
function passedEstimate({ form, call: { endpoint }, asked }: PassedExchange, { body }: Call): Usage {
  return form && !form.isWhole ? noUsage : meterOf(endpoint.meter).estimate(asked(body));
}

/**
 * Who leaves before an answer has begun, or has that of another attempt, may leave a model that is writing: an answer that is not
 * streamed shows nothing until it is whole, and providers bill what was written. What that was only the time tells; never more than the request allowed.
 */
function unseenTokens({ exchange, call, candidate }: Begun, { duration }: AttemptResult): number {
  if ((call.envelope.stream && !call.envelope.inBackground) || exchange.action !== 'generate') return 0;
  const request = exchange.frontend.decode(call.body);
  const asked = request.ok ? request.value.maxOutputTokens : undefined;
  return Math.min(Math.ceil((duration * TOKENS_PER_SECOND) / 1000), outputBound(asked, 1, candidate.model));
}

/** What hosted models commonly write. */
const TOKENS_PER_SECOND = 100;

async function outputTokens({ streamed, reply }: AttemptResult, chat: Provider | undefined, estimate: Estimate): Promise<number> {
  if (reply) return estimate(reply.said ?? reply.body.toString());
  if (!streamed || !chat) return 0;
  const { sample, bytes } = streamed;
  const counted = await estimate(textOf(sample, chat));
  // 0: the first frame with content is larger than the whole sample.
  return Math.ceil(counted > 0 ? (counted * bytes) / sample.length : bytes / BYTES_PER_TOKEN);
}

/** Four bytes of text a token, and as much of frame again. */
const BYTES_PER_TOKEN = 8;

/** What a piece of the provider's stream says, of all kinds of content. */
function textOf(block: Buffer, chat: Provider): string {
  const decoder = chat.streamDecoder();
  let text = '';
  for (const message of messagesOf(block))
    for (const event of decoder.push(message)) {
      if ('text' in event) text += event.text;
      else if (event.kind === 'tool-call-start') text += event.name;
      else if (event.kind === 'tool-call-delta') text += event.json;
    }
  return text;
}

/** Texts of clients and providers, as much of them as the ledger keeps: a row that is too long for the spool would be refused. */
const kept = (text: string | undefined): string | undefined => text?.slice(0, MAX_TEXT);

/** What a row tells of who asks, and for what. */
export type RowBegun = Omit<Begun, 'chat' | 'exchange' | 'call'> & {
  readonly exchange: Pick<Exchange, 'id'> & {
    readonly frontend: { readonly operation: Operation; readonly dialect: AnyDialect };
  };
  readonly call: Pick<Call, 'tags'> & {
    readonly key: Pick<Call['key'], 'entry' | 'name'>;
    readonly plan: Pick<Call['plan'], 'route'>;
    readonly envelope: Pick<Call['envelope'], 'model' | 'stream'> & { readonly controls: { readonly user?: string } };
  };
};

/** The row of an attempt that is about to be sent. */
export function openRow(begun: RowBegun, reserved: NanoUsd): CostRecord {
  const { exchange, call, candidate } = begun;
  const { entry } = call.key;
  const { price } = candidate.model;
  return {
    requestId: exchange.id,
    attempt: begun.attempt,
    state: 'open',
    at: begun.at,
    tenant: entry.tenant,
    keyId: entry.id,
    keyName: call.key.name,
    keyAlias: entry.alias,
    userId: kept(call.envelope.controls.user),
    // The key's own win: who pays is not for the client to say.
    tags: { ...call.tags, ...entry.tags },
    route: call.plan.route?.id,
    operation: exchange.frontend.operation,
    modelRequested: call.envelope.model,
    model: candidate.model.name,
    upstreamModel: candidate.model.upstreamName,
    provider: candidate.provider.id,
    endpoint: begun.endpoint,
    dialect: exchange.frontend.dialect,
    streamed: call.envelope.stream,
    upstreamStatus: 0,
    failure: undefined,
    purpose: begun.purpose,
    fallbackPosition: begun.fallbackPosition,
    retryPosition: begun.retryPosition,
    isFirst: begun.isFirst,
    upstreamId: undefined,
    usage: noUsage,
    estimated: false,
    cost: nanoUsd(0),
    reserved,
    exceeded: false,
    leaseUntil: begun.leaseUntil,
    rates: price?.rates,
    priceSource: price?.source,
    priceVersion: price?.version,
    gpuSeconds: undefined,
    cache: begun.cache,
    similarity: undefined,
    saved: nanoUsd(0),
    possiblyBilled: false,
    firstToken: undefined,
    duration: millis(0),
  };
}

type KeptBegun = Pick<Begun, 'exchange' | 'call' | 'candidate' | 'attempt' | 'isFirst' | 'at' | 'cache'>;

/** The row of an answer that was kept: nobody was asked for it, and nothing is paid. */
export function keptRow(begun: KeptBegun, { similarity, saved }: Pick<CostRecord, 'similarity' | 'saved'>): CostRecord {
  const none = { endpoint: '', fallbackPosition: 0, retryPosition: 0, leaseUntil: epochMillis(begun.at + REPLAY_MS) };
  return { ...openRow({ ...begun, ...none, purpose: 'cache' }, nanoUsd(0)), state: 'settled', similarity, saved };
}

/** After which a process that has not told of its end has died over it. */
const REPLAY_MS = 60_000;

export type Outcome = {
  readonly result: Pick<
    AttemptResult,
    'kind' | 'failure' | 'model' | 'upstreamStatus' | 'upstreamId' | 'firstToken' | 'duration'
  >;
  readonly usage: Usage;
  readonly estimated: boolean;
  readonly gpuSeconds: number | undefined;
};

export function settled(
  { candidate }: { readonly candidate: { readonly model: Pick<Candidate['model'], 'price'> } },
  open: CostRecord,
  { result, usage, estimated, gpuSeconds }: Outcome,
): CostRecord {
  const { price } = candidate.model;
  const cost = price ? costOf(usage, price, gpuSeconds) : null;
  return {
    ...open,
    state: 'settled',
    upstreamModel: kept(result.model) ?? open.upstreamModel,
    upstreamStatus: result.upstreamStatus,
    failure: verdict(result),
    upstreamId: kept(result.upstreamId),
    usage,
    estimated,
    cost,
    ...(price && isPartlyPriced(usage, price) && { partlyPriced: true as const }),
    exceeded: cost !== null && cost > open.reserved,
    rates: price && ratesFor(usage, price),
    gpuSeconds,
    possiblyBilled: result.failure?.possiblyBilled === true,
    firstToken: result.firstToken,
    duration: result.duration,
  };
}

function verdict({ kind, failure }: Pick<AttemptResult, 'kind' | 'failure'>): CostRecord['failure'] {
  if (kind === 'abandoned') return 'client_closed';
  return kind === 'lost' ? 'hedge_lost' : failure?.class;
}
