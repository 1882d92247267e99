// Anthropic's Messages API.
import type { OutputAsked, Provider, RequestFields } from '../provider.ts';
import { address } from './address.ts';
import { isForeign } from './clean-history.ts';
import { decodeReply, inspectReply } from './decode-reply.ts';
import { streamDecoder } from './decode-stream.ts';
import { encode } from './encode.ts';
import { classify } from './errors.ts';
import type { AnthropicConnection } from './target.ts';

const noEdits: ReadonlyMap<string, string | null> = new Map();

function outputAsked(body: RequestFields): OutputAsked {
  const limit = body.get('max_tokens');
  return Number.isSafeInteger(limit) && (limit as number) >= 0 ? { maxTokens: limit as number, choices: 1 } : { choices: 1 };
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
  inspectReply,
  streamDecoder,
  // A quote inside a JSON string is escaped, so `"type":` and `"error":` are always keys, never text of an answer.
  notable:
    /"type"\s*:\s*"(?!content_block_delta"|ping"|text_delta"|thinking_delta"|input_json_delta"|signature_delta"|citations_delta")|"error"\s*:/,
  classify,
};
