// How much a chat completions body asks for at most.
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import type { OutputAsked, RequestFields } from '../provider.ts';
import { openAIProfile } from './profile.ts';

/** `max_tokens` is the older name; where both stand, servers go by either, so the larger counts. */
const LIMITS = ['max_completion_tokens', 'max_tokens'] as const;

export function outputAsked(body: RequestFields): OutputAsked {
  const limits = LIMITS.filter(name => body.has(name))
    .map(name => body.get(name))
    .filter(isCount);
  const n = body.has('n') ? body.get('n') : 1;
  const choices = isCount(n) && n > 0 ? n : 1;
  return limits.length > 0 ? { maxTokens: Math.max(...limits), choices } : { choices };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

export const outputLimitField = (body: RequestFields, model: ModelEntry): string =>
  LIMITS.find(name => body.has(name)) ?? openAIProfile.modelTraits(model).maxTokens;
