// An embeddings body as the neutral request. Field names as in the types of openai 7.57 for Node.
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import type { EmbeddingInput, EmbeddingRequest } from '#core/unary/embeddings.ts';
import { aName, aString, type Faults, integerFrom, invalid, oneOf, optional, present, required } from '../reading.ts';
import { extraFields } from '../unary-body.ts';

export function decodeRequest(view: JsonView): Parsed<EmbeddingRequest> {
  const body = view.whole();
  const faults: Faults = {};
  const request = present({
    model: required(faults, body.model, 'model', aName, ''),
    inputs: readInputs(faults, body.input),
    dimensions: optional(faults, body.dimensions, 'dimensions', integerFrom(1)),
    encoding: optional(faults, body.encoding_format, 'encoding_format', oneOf('float', 'base64')) ?? 'float',
    purpose: optional(faults, body.input_type, 'input_type', aString),
    user: optional(faults, body.user, 'user', aString),
    extra: extraFields(body, KNOWN),
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

const KNOWN: ReadonlySet<string> = new Set(['model', 'input', 'dimensions', 'encoding_format', 'input_type', 'user']);

/** A text, texts, the tokens of one text, or of several. */
function readInputs(faults: Faults, input: unknown): readonly EmbeddingInput[] {
  if (typeof input === 'string') return input === '' ? (invalid(faults, 'input', A_TEXT) ?? []) : [input];
  if (!Array.isArray(input) || input.length === 0) return invalid(faults, 'input', A_TEXT) ?? [];
  if (input.every(isToken)) return [input];
  for (const [i, one] of input.entries())
    if (!(typeof one === 'string' && one !== '') && !(Array.isArray(one) && one.length > 0 && one.every(isToken)))
      invalid(faults, `input[${i}]`, 'a text that is not empty, or a list of tokens');
  return input as readonly EmbeddingInput[];
}

const A_TEXT = 'a text that is not empty, a list of texts, or lists of tokens';

const isToken = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
