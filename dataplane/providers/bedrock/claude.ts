// Anthropic's models by InvokeModel: their own dialect in an envelope of Bedrock's. The model is in the path, versions and betas are in the
// body, and the frames of a stream have Anthropic's events in them.
import type { ChatRequest } from '#core/chat/request.ts';
import type { Parsed } from '#core/failure.ts';
import { anthropic, serviceAsked, toolLimit, toolsAsked, withoutReferences } from '../anthropic/index.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { ClientHeaders, EncodedRequest, Provider, RequestFields, StreamDecoder } from '../provider.ts';
import { addressOf } from './address.ts';
import { asAnthropic } from './anthropic-target.ts';
import { authorize } from './authorize.ts';
import { tokenCount } from './count-tokens.ts';
import { classify, troubleIn } from './errors.ts';
import { invokeFraming } from './framing.ts';
import { hasStructuredOutput } from './models.ts';
import { type BedrockConnection, type BedrockTarget, isProfileOfOnesOwn, tellingName } from './target.ts';

/** The only one that InvokeModel has had so far. */
const VERSION = 'bedrock-2023-05-31';

/**
 * The betas that Bedrock knows; any other makes it refuse the request ("invalid beta flag"), and clients send those of Anthropic's own API
 * without being asked (anthropics/claude-code#49370). Sources: docs.aws.amazon.com/bedrock "Anthropic Claude Messages API", and the tables that
 * other gateways keep by trying them.
 */
const BETAS: ReadonlySet<string> = new Set([
  'compact-2026-01-12',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dev-full-thinking-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'output-128k-2025-02-19',
  'token-efficient-tools-2025-02-19',
  'tool-examples-2025-10-29',
  'tool-search-tool-2025-10-19',
]);

function passthroughEdits(body: RequestFields, _stream: boolean, client?: ClientHeaders): ReadonlyMap<string, string | null> {
  const edits = new Map<string, string | null>([
    ['model', null],
    ['stream', null],
  ]);
  if (!body.has('anthropic_version')) edits.set('anthropic_version', JSON.stringify(VERSION));
  const betas = betasOf(client);
  if (betas.length > 0 && !body.has('anthropic_beta')) edits.set('anthropic_beta', JSON.stringify(betas));
  return edits;
}

const betasOf = (client: ClientHeaders = {}): readonly string[] =>
  [client['anthropic-beta'] ?? []]
    .flat()
    .flatMap(header => header.split(','))
    .map(beta => beta.trim())
    .filter(beta => BETAS.has(beta));

function encode(request: ChatRequest, target: BedrockTarget): Parsed<EncodedRequest> {
  const { model, provider } = target;
  const limits = new LeavingOut(`The model ${model.name} of the provider ${provider.name}`, provider.parameters.dropUnsupported);
  // A body of its own dialect is cleaned, and passes as it is otherwise.
  const isOwn = request.dialect === 'anthropic-messages' && request.body !== undefined;
  const takes = isOwn ? request : withoutUnknown(request, tellingName(model), limits);
  if (limits.refusal) return { ok: false, failure: limits.refusal };
  const encoded = anthropic.encode(takes, asAnthropic(target));
  if (!encoded.ok) return encoded;
  const { model: _inPath, stream: _inPathToo, ...body } = encoded.value.body;
  return {
    ok: true,
    value: { body: { anthropic_version: VERSION, ...body }, dropped: [...limits.dropped, ...encoded.value.dropped] },
  };
}

/** What Anthropic's own API takes and Bedrock does not: what would have to be fetched, or is stored at Anthropic; and some models' schemas. */
function withoutUnknown(request: ChatRequest, model: string, limits: LeavingOut): ChatRequest {
  const { output, ...rest } = withoutReferences(request, limits);
  if (hasStructuredOutput(model)) return output ? { ...rest, output } : rest;
  if (output) limits.leaveOut('response_format');
  const tools = request.tools.map(({ strict, ...tool }, index) => {
    if (strict) limits.leaveOut(`tools[${index}].strict`);
    return tool;
  });
  return { ...rest, tools };
}

/** Exceptions come between Anthropic's events. */
function streamDecoder(): StreamDecoder {
  const inner = anthropic.streamDecoder();
  let failed = false;
  return {
    ...inner,
    push(message) {
      if (failed) return [];
      const failure = troubleIn(message);
      if (!failure) return inner.push(message);
      failed = true;
      return [{ kind: 'error', failure }];
    },
    close: () => (failed ? [] : inner.close()),
  };
}

export const claude: Provider<BedrockConnection> = {
  dialect: 'anthropic-messages',
  tokenizer: 'other',
  modelInPath: true,
  framing: invokeFraming,
  address: addressOf('invoke', 'invoke-with-response-stream'),
  authorize,
  encode,
  passthroughEdits,
  outputAsked: anthropic.outputAsked,
  outputLimitField: () => 'max_tokens',
  isForeign: anthropic.isForeign,
  decodeReply: anthropic.decodeReply,
  leavesOut: anthropic.leavesOut,
  inspectReply: anthropic.inspectReply,
  toolsAsked,
  serviceAsked,
  toolLimit,
  tokenCount: model => (isProfileOfOnesOwn(model) ? undefined : tokenCount),
  streamDecoder,
  notable: new RegExp(`${anthropic.notable.source}|^event: (?:error|\\w*Exception)$`, 'm'),
  continuation: (body, target) => anthropic.continuation?.(body, asAnthropic(target)),
  takesTemperature: model => anthropic.takesTemperature?.({ ...model, upstreamName: tellingName(model) }) ?? true,
  classify,
};
