// Google's Gemini API and Vertex AI: models of Google's, and those of Anthropic's that Vertex serves in their own dialect.
import type { OutputAsked, Provider, RequestFields, Wires } from '../provider.ts';
import { recordOf } from '../wire.ts';
import { address, authorize } from './address.ts';
import { claude, isClaude } from './claude.ts';
import { isForeign } from './clean-history.ts';
import { confidence } from './confidence.ts';
import { tokenCount, vertexTokenCount } from './count-tokens.ts';
import { choicesOf, decodeReply, inspectReply, leavesOut, streamDecoder } from './decode.ts';
import { embeddingsOf } from './embed.ts';
import { encode } from './encode.ts';
import { classify } from './errors.ts';
import { serviceAsked } from './service.ts';
import type { GeminiConnection } from './target.ts';
import { toolsAsked } from './tools.ts';

const noEdits: ReadonlyMap<string, string | null> = new Map();

function outputAsked(body: RequestFields): OutputAsked {
  const config = recordOf(body.get('generationConfig') ?? body.get('generation_config'));
  const limit = config.maxOutputTokens ?? config.max_output_tokens;
  const choices = choicesOf(body);
  return Number.isSafeInteger(limit) && (limit as number) > 0 ? { maxTokens: limit as number, choices } : { choices };
}

/** In the spelling of the client: Google takes both, and refuses a field that is there twice. */
function outputLimitField(body: RequestFields): string {
  const field = body.has('generation_config') ? 'generation_config' : 'generationConfig';
  return `${field}.${'max_output_tokens' in recordOf(body.get(field)) ? 'max_output_tokens' : 'maxOutputTokens'}`;
}

export const generateContent: Provider<GeminiConnection> = {
  dialect: 'gemini',
  tokenizer: 'other',
  modelInPath: true,
  address,
  authorize,
  encode,
  // Usage is in every stream without being asked for.
  passthroughEdits: () => noEdits,
  outputAsked,
  outputLimitField,
  isForeign,
  decodeReply,
  leavesOut,
  inspectReply,
  toolsAsked,
  serviceAsked,
  streamDecoder,
  tokenCount: ({ upstreamName }) => tokenCount(upstreamName),
  // A quote inside a JSON string is escaped, so these are always keys, never text of an answer.
  notable: /"finishReason"\s*:|"promptFeedback"\s*:|"error"\s*:|"groundingMetadata"\s*:/,
  classify,
};

const onVertex: Provider<GeminiConnection> = { ...generateContent, tokenCount: () => vertexTokenCount, confidence };

const forGoogle = [generateContent] as const;
const forVertex = [onVertex] as const;
const forClaude = [claude] as const;

export const gemini: Wires<GeminiConnection> = {
  of: ({ provider, model }) => (provider.connection.vertex ? (isClaude(model) ? forClaude : forVertex) : forGoogle),
  unary: { Embeddings: embeddingsOf },
};
