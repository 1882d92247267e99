// Pictures on OpenAI's wire: a small PNG each, in base64, with usage in tokens for GPT's image models and none for DALL-E (`openai` 7.57,
// resources/images).
import { digestOf } from '../answer.ts';
import { anything, flag, integer, type Json, list, number, object, oneOf, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { openaiError, openaiProblem } from '../wires/openai-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { type ApiCall, type ApiReply, done, missing } from './call.ts';

const common = {
  n: integer(1, 10),
  size: text(),
  quality: text(),
  background: text(),
  moderation: text(),
  output_format: oneOf('png', 'jpeg', 'webp'),
  output_compression: number(0, 100),
  partial_images: integer(0, 3),
  stream: flag,
  user: text(),
  response_format: oneOf('url', 'b64_json'),
  style: text(),
  input_fidelity: text(),
};
const generation = object({ model: text({ min: 1 }), prompt: text({ min: 1, max: 32_000 }) }, common);
const edit = object(
  {
    model: text({ min: 1 }),
    prompt: text({ min: 1 }),
    images: list(object({}, { file_id: text(), image_url: text() }), { min: 1 }),
  },
  { ...common, mask: anything },
);

/** A picture of one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const TOKENS_OF_ONE = 1056;
const TOKENS_OF_AN_INPUT = 323;

export function imageGeneration({ body: { fields }, now }: ApiCall): ApiReply {
  const problem = generation(fields);
  return problem ? openaiProblem(problem) : pictures(fields, 0, now, 'image_generation');
}

export function imageEdit({ body: { fields, files }, now }: ApiCall): ApiReply {
  if (files.length === 0) {
    const problem = edit(fields);
    return problem ? openaiProblem(problem) : pictures(fields, (fields.images as Json[]).length, now, 'image_edit');
  }
  const asked = formFields(fields);
  const inputs = files.filter(({ field }) => field === 'image');
  const wrong = inputs.length === 0 ? missing('image') : notAPicture(inputs);
  if (wrong) return wrong;
  const problem = generation(asked);
  return problem ? openaiProblem(problem) : pictures(asked, inputs.length, now, 'image_edit');
}

export function imageVariation({ body: { fields, files }, now }: ApiCall): ApiReply {
  const wrong = files.length === 1 ? notAPicture(files) : missing('image');
  return wrong ?? pictures({ prompt: '', ...formFields(fields) }, 1, now, 'image_generation');
}

function notAPicture(files: ApiCall['body']['files']): Refusal | undefined {
  const odd = files.find(({ file }) => !/^image\/(png|jpeg|webp)$/.test(file.type));
  return odd && openaiError(400, `Invalid file '${odd.field}': unsupported mimetype ('${odd.file.type}').`, { param: odd.field });
}

/** Numbers and flags of a form are texts. */
const formFields = (fields: Json): Json =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      ['n', 'output_compression', 'partial_images'].includes(name) ? Number(value) : name === 'stream' ? value === 'true' : value,
    ]),
  );

function pictures(asked: Json, inputs: number, created: number, event: string): ApiReply {
  const { model, n = 1, prompt, stream = false, partial_images: partial = 0 } = asked;
  const isGpt = /^gpt-image/.test(model);
  if (!isGpt && stream) return openaiError(400, `The model '${model}' does not support streaming.`, { param: 'stream' });
  if (isGpt && asked.response_format)
    return openaiError(400, "Unknown parameter: 'response_format'.", { param: 'response_format' });
  const usage = isGpt && usageOf(prompt, inputs, n, partial);
  if (stream) return streamed(created, partial, usage, event);
  const data = Array.from({ length: n }, (_, i) => ({
    b64_json: PIXEL,
    revised_prompt: `${prompt} ${digestOf(prompt, String(i)).slice(0, 4)}`,
  }));
  return done({ created, data, ...(usage && { usage, size: '1024x1024', quality: 'high' }) });
}

function usageOf(prompt: string, inputs: number, n: number, partial: number) {
  const [text_tokens, image_tokens] = [countTokens(prompt), inputs * TOKENS_OF_AN_INPUT];
  const output_tokens = n * (TOKENS_OF_ONE + 100 * partial);
  const input_tokens = text_tokens + image_tokens;
  return {
    input_tokens,
    output_tokens,
    total_tokens: input_tokens + output_tokens,
    input_tokens_details: { text_tokens, image_tokens },
  };
}

function streamed(created_at: number, partial: number, usage: unknown, event: string): ApiReply {
  const events = [
    ...Array.from({ length: partial }, (_, i) => ({
      type: `${event}.partial_image`,
      partial_image_index: i,
      b64_json: PIXEL,
      created_at,
    })),
    { type: `${event}.completed`, b64_json: PIXEL, created_at, usage },
  ];
  const pieces = events.map(one => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`);
  return { status: 200, type: 'text/event-stream; charset=utf-8', pieces };
}
