// OpenAI's embeddings, as clients speak it (`/v1/embeddings`).
import type { Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { invalid, isFilledList, readEssentials } from '../essentials.ts';
import type { Envelope, UnaryFrontend } from '../frontend.ts';
import { openAIChat } from '../openai-chat/index.ts';
import { countTexts, unaryEnvelope, unaryFields } from '../unary-body.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';

export const openAIEmbeddings: UnaryFrontend<'Embeddings'> = {
  dialect: 'openai-embeddings',
  operation: 'Embeddings',
  fields: unaryFields('input', 'dimensions', 'encoding_format'),
  inspect,
  extent: ({ bytes }) => ({ bytes: bytes.length }),
  count,
  translation: { decode: decodeRequest, encodeReply },
  encodeError: openAIChat.encodeError,
  encodeStreamError: openAIChat.encodeStreamError,
};

const QUOTE = 0x22;

function inspect(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, undefined);
  if (!essentials.ok) return essentials;
  const input = body.fields.get('input');
  const isText = input !== undefined && body.bytes[input.start] === QUOTE && input.end - input.start > 2;
  if (!isText && !isFilledList(body, 'input')) return invalid('input', 'a text, a list of texts, or lists of tokens');
  return unaryEnvelope(body, essentials.value.model);
}

async function count(body: JsonView, estimate: (text: string) => Promise<number>) {
  const request = decodeRequest(body);
  // What cannot be read is refused by its provider, or counts by its size.
  if (!request.ok) return { tokens: tokens(body.bytes.length), texts: 1 };
  const { inputs } = request.value;
  const texts = inputs.filter(input => typeof input === 'string');
  const given = inputs.reduce((sum, input) => sum + (typeof input === 'string' ? 0 : input.length), 0);
  const counted = await countTexts(texts, estimate, given);
  return { ...counted, texts: inputs.length };
}
