// Anthropic's models on Vertex AI: their own dialect at another path, which has the model in it; the version is in the body. Read against
// platform.claude.com "Claude on Vertex AI" and the client of @anthropic-ai/vertex-sdk.
import type { ChatRequest } from '#core/chat/request.ts';
import type { Failure, Parsed } from '#core/failure.ts';
import { isRecord, parseRecord } from '#core/json/record.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { type AnthropicTarget, anthropic, serviceAsked, toolLimit, toolsAsked, withoutReferences } from '../anthropic/index.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { Address, AddressOptions, EncodedRequest, Provider, RequestFields, TokenCount, UpstreamError } from '../provider.ts';
import { acceptOf, addressOf, authorize } from './address.ts';
import { classify as classifyGoogle } from './errors.ts';
import type { GeminiConnection, GeminiTarget } from './target.ts';

/** The only one that Vertex has had so far. */
const VERSION = 'vertex-2023-10-16';
/** What it is on Anthropic's own wire: it takes every field, and what a model does not take is known of the model. */
const AS_ANTHROPIC = '2023-06-01';

export const isClaude = ({ upstreamName }: Pick<ModelEntry, 'upstreamName'>): boolean => upstreamName.startsWith('claude-');

function address(target: GeminiTarget, { stream, action, client }: AddressOptions): Address {
  const betas = client?.['anthropic-beta'];
  const headers = { ...acceptOf(stream), ...(betas !== undefined && { 'anthropic-beta': String(betas) }) };
  if (action === 'count-tokens') return addressOf(target, 'anthropic', 'count-tokens', 'rawPredict', headers);
  return addressOf(target, 'anthropic', target.model.upstreamName, stream ? 'streamRawPredict' : 'rawPredict', headers);
}

function passthroughEdits(body: RequestFields): ReadonlyMap<string, string | null> {
  const edits = new Map<string, string | null>([['model', null]]);
  if (!body.has('anthropic_version')) edits.set('anthropic_version', JSON.stringify(VERSION));
  return edits;
}

function encode(request: ChatRequest, target: GeminiTarget): Parsed<EncodedRequest> {
  const { model, provider } = target;
  const limits = new LeavingOut(`The model ${model.name} of the provider ${provider.name}`, provider.parameters.dropUnsupported);
  // A body of its own dialect is cleaned, and passes as it is otherwise.
  const takes = request.body && request.dialect === 'anthropic-messages' ? request : withoutReferences(request, limits);
  if (limits.refusal) return { ok: false, failure: limits.refusal };
  const encoded = anthropic.encode(takes, asAnthropic(target));
  if (!encoded.ok) return encoded;
  const { model: _inPath, ...body } = encoded.value.body;
  return {
    ok: true,
    value: { body: { anthropic_version: VERSION, ...body }, dropped: [...limits.dropped, ...encoded.value.dropped] },
  };
}

const asAnthropic = ({ model, provider, credential }: GeminiTarget): AnthropicTarget => ({
  model,
  provider: { ...provider, connection: { type: 'Anthropic', baseURL: '', version: AS_ANTHROPIC } },
  credential,
});

/** Its path has no model: the body names it. */
const tokenCount = ({ upstreamName }: ModelEntry): TokenCount => ({
  body: request => ({ ...request, model: upstreamName }),
  reply: body => (isRecord(body) && Number.isSafeInteger(body.input_tokens) ? body : undefined),
});

/** What Vertex itself refuses is in Google's envelope, what the model's server refuses in Anthropic's. */
function classify(error: UpstreamError): Failure {
  return saysAnthropic(error.body) ? anthropic.classify(error) : classifyGoogle(error);
}

const saysAnthropic = (body: string): boolean => parseRecord(body)?.type === 'error';

export const claude: Provider<GeminiConnection> = {
  dialect: 'anthropic-messages',
  tokenizer: anthropic.tokenizer,
  modelInPath: true,
  address,
  authorize,
  encode,
  passthroughEdits,
  outputAsked: anthropic.outputAsked,
  outputLimitField: anthropic.outputLimitField,
  isForeign: anthropic.isForeign,
  decodeReply: anthropic.decodeReply,
  leavesOut: anthropic.leavesOut,
  inspectReply: anthropic.inspectReply,
  toolsAsked,
  serviceAsked,
  toolLimit,
  tokenCount,
  streamDecoder: anthropic.streamDecoder,
  notable: anthropic.notable,
  continuation: (body, target) => anthropic.continuation?.(body, asAnthropic(target)),
  takesTemperature: model => anthropic.takesTemperature?.(model) ?? true,
  classify,
};
