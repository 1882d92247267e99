// Which fields of this dialect's body say what.
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import type { BodyFields } from '../body-fields.ts';

export const fields: BodyFields = {
  instructions: ['system'],
  turns: 'messages',
  spokenTurn: text => ({ role: 'assistant', content: [{ text }] }),
  tools: ['toolConfig'],
  schema: { in: ['outputConfig'], mark: '"json_schema"' },
  outputLimit,
  // What a block is its key tells; what is in it, its format.
  parts: {
    keys: ['"format"'],
    image: ['"png', '"jpeg', '"gif', '"webp'],
    document: ['"pdf', '"csv', '"doc', '"xls', '"html', '"txt', '"md'],
    audio: ['"mp3', '"wav', '"flac', '"aac', '"ogg', '"opus', '"m4a', '"pcm'],
  },
  others: ['inferenceConfig', 'additionalModelRequestFields'],
};

/** Small, as it has no prompt in it. */
function outputLimit(body: JsonView): number | undefined {
  const config = body.get('inferenceConfig');
  const limit = isRecord(config) ? config.maxTokens : undefined;
  return typeof limit === 'number' && limit > 0 ? limit : undefined;
}
