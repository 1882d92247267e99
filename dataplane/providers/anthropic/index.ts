// Anthropic's Messages API.
import { isRecord } from '#core/json/record.ts';
import type { OutputAsked, Provider, RequestFields } from '../provider.ts';
import { address } from './address.ts';
import { isForeign } from './clean-history.ts';
import { decodeReply, inspectReply, leavesOut } from './decode-reply.ts';
import { streamDecoder } from './decode-stream.ts';
import { encode } from './encode.ts';
import { classify } from './errors.ts';
import { telling } from './keeps.ts';
import { abilitiesOf } from './models.ts';
import { serviceAsked } from './service.ts';
import type { AnthropicConnection, AnthropicTarget } from './target.ts';
import { toolLimit, toolsAsked } from './tools.ts';

const noEdits: ReadonlyMap<string, string | null> = new Map();

function outputAsked(body: RequestFields): OutputAsked {
  const limit = body.get('max_tokens');
  return Number.isSafeInteger(limit) && (limit as number) >= 0 ? { maxTokens: limit as number, choices: 1 } : { choices: 1 };
}

/** Prefill goes neither with thinking nor with structured output (platform.claude.com, "Prefill Claude's response"). */
function continuation(body: RequestFields, { model }: AnthropicTarget): ReadonlyMap<string, string | null> | undefined {
  const [thinking, config] = [body.get('thinking'), body.get('output_config')];
  const thinks = isRecord(thinking) && thinking.type !== 'disabled';
  const isFormatted = body.has('output_format') || (isRecord(config) && config.format !== undefined);
  return abilitiesOf(model.upstreamName).prefill && !thinks && !isFormatted ? noEdits : undefined;
}

export const anthropic: Provider<AnthropicConnection> = {
  dialect: 'anthropic-messages',
  tokenizer: 'other',
  address,
  encode,
  // Usage is in every stream without being asked for.
  passthroughEdits: () => noEdits,
  outputAsked,
  outputLimitField: () => 'max_tokens',
  isForeign,
  decodeReply,
  leavesOut,
  inspectReply,
  toolsAsked,
  serviceAsked,
  toolLimit,
  streamDecoder,
  // A quote inside a JSON string is escaped, so `"type":` and `"error":` are always keys, never text of an answer.
  notable:
    /"type"\s*:\s*"(?!content_block_delta"|ping"|text_delta"|thinking_delta"|input_json_delta"|signature_delta"|citations_delta")|"error"\s*:/,
  telling,
  continuation,
  // "Automatic caching": the last block that can be cached is.
  automaticCaching: { mark: '"cache_control"', edits: new Map([['cache_control', '{"type":"ephemeral"}']]) },
  takesTemperature: ({ upstreamName }) => abilitiesOf(upstreamName).sampling,
  classify,
};

// For Anthropic's models where others serve them.
export { abilitiesOf } from './models.ts';
export { withoutReferences } from './references.ts';
export { closedSchema } from './schema.ts';
export { serviceAsked } from './service.ts';
export type { AnthropicTarget } from './target.ts';
export { planThinking } from './thinking.ts';
export { toolLimit, toolsAsked } from './tools.ts';
