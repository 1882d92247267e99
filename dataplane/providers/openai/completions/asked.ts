// How much a completion's body asks for at most.
import type { OutputAsked, RequestFields } from '../../provider.ts';

export function outputAsked(body: RequestFields): OutputAsked {
  const limit = body.get('max_tokens');
  const choices = answersMade(body);
  return isCount(limit, 0) ? { maxTokens: limit, choices } : { choices };
}

/** How many answers come back: `n` for each prompt. */
export const answersAsked = (body: RequestFields): number => promptsIn(body.get('prompt')) * countIn(body, 'n');

/** How many the model writes: of `best_of` only the best are shown, and all are billed. */
const answersMade = (body: RequestFields): number =>
  promptsIn(body.get('prompt')) * Math.max(countIn(body, 'n'), countIn(body, 'best_of'));

/** A list of texts, or of lists of tokens, is as many prompts; a list of tokens is one. */
const promptsIn = (prompt: unknown): number =>
  Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1;

function countIn(body: RequestFields, name: string): number {
  const value = body.get(name);
  return isCount(value, 1) ? value : 1;
}

const isCount = (value: unknown, min: number): value is number => Number.isSafeInteger(value) && (value as number) >= min;
