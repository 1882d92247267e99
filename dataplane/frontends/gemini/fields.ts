// Which fields of this dialect's body say what, in both spellings.
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import type { BodyFields } from '../body-fields.ts';
import { camelFields, inSnake } from './spelling.ts';

const both = (name: string): string[] => [name, inSnake(name)];

export const fields: BodyFields = {
  instructions: both('systemInstruction'),
  turns: 'contents',
  spokenTurn: text => ({ role: 'model', parts: [{ text }] }),
  tools: ['tools'],
  schema: { in: both('generationConfig'), mark: '"application/json"' },
  outputLimit,
  parts: {
    keys: ['"mimeType"', '"mime_type"'],
    image: ['"image'],
    document: ['"application', '"text', '"video'],
    audio: ['"audio'],
  },
  others: [...both('toolConfig'), ...both('generateContentRequest')],
};

/** Small, as it has no prompt in it; undefined where it is no object. */
function generationConfigIn(body: JsonView): Readonly<Record<string, unknown>> | undefined {
  const name = both('generationConfig').find(name => body.has(name));
  const config = name === undefined ? undefined : body.get(name);
  return isRecord(config) ? camelFields(config) : undefined;
}

function outputLimit(body: JsonView): number | undefined {
  const limit = generationConfigIn(body)?.maxOutputTokens;
  return typeof limit === 'number' && limit > 0 ? limit : undefined;
}
