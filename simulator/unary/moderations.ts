// Moderations on OpenAI's wire: what names violence is flagged for that (`openai` 7, ModerationCreateParams).

import { digestOf } from '../answer.ts';
import { anything, type Json, list, object, type Shape, tagged, text, textOr } from '../shape.ts';
import { openaiProblem } from '../wires/openai-errors.ts';
import type { Refusal } from '../wires/wire.ts';

const part = tagged('type', {
  text: object({ type: anything, text: text() }),
  image_url: object({ type: anything, image_url: object({ url: text({ min: 1 }) }) }),
});
const item: Shape = value => (typeof value === 'string' ? undefined : part(value));
const request = object({ input: textOr(list(item, { min: 1 })) }, { model: text({ min: 1 }) });

const CATEGORIES = ['harassment', 'hate', 'illicit', 'self-harm', 'sexual', 'violence'];

export function openaiModerations(body: unknown): Refusal {
  const problem = request(body);
  if (problem) return openaiProblem(problem);
  const { input, model = 'omni-moderation-latest' } = body as Json;
  const items: readonly (string | Json)[] = typeof input === 'string' ? [input] : input;
  const texts = items.map(one => (typeof one === 'string' ? one : (one.text ?? '')));
  // Parts make one input together, texts one each.
  const judged = typeof items[0] === 'string' ? texts : [texts.join('\n')];
  return { status: 200, body: { id: `modr-${digestOf(...texts).slice(0, 16)}`, model, results: judged.map(resultOf) } };
}

function resultOf(said: string) {
  const isViolent = /\bkill\b/i.test(said);
  const of = <T>(value: (name: string) => T) => Object.fromEntries(CATEGORIES.map(name => [name, value(name)]));
  return {
    flagged: isViolent,
    categories: of(name => isViolent && name === 'violence'),
    category_scores: of(name => (isViolent && name === 'violence' ? 0.93 : 0.01)),
    category_applied_input_types: of(() => ['text']),
  };
}
