// OpenAI's moderations, as clients speak it (`/v1/moderations`): passed through, as the categories of one provider are nobody else's.
import type { Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { invalid, readEssentials } from '../essentials.ts';
import type { Envelope, UnaryFrontend } from '../frontend.ts';
import { openAIChat } from '../openai-chat/index.ts';
import { countTexts, unaryEnvelope, unaryFields } from '../unary-body.ts';

export const openAIModerations: UnaryFrontend<'Moderations'> = {
  dialect: 'openai-moderations',
  operation: 'Moderations',
  fields: unaryFields('input'),
  inspect,
  extent: ({ bytes }) => ({ bytes: bytes.length }),
  count: (body, estimate) => countTexts(textsIn(body.get('input')), estimate),
  encodeError: openAIChat.encodeError,
  encodeStreamError: openAIChat.encodeStreamError,
};

/** What OpenAI takes where the request names none. */
const DEFAULT_MODEL = 'omni-moderation-latest';

function inspect(body: JsonView): Parsed<Envelope> {
  if (!body.has('input')) return invalid('input', 'a text, a list of texts, or a list of parts');
  if (!body.has('model')) return unaryEnvelope(body, DEFAULT_MODEL);
  const essentials = readEssentials(body, undefined);
  return essentials.ok ? unaryEnvelope(body, essentials.value.model) : essentials;
}

function textsIn(input: unknown): string[] {
  if (typeof input === 'string') return [input];
  if (!Array.isArray(input)) return [];
  return input.map(one => (typeof one === 'string' ? one : one?.text)).filter(text => typeof text === 'string');
}
