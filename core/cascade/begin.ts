// At which step a cascade begins, by what a scorer said of the prompt.
import type { ChatRequest } from '../chat/request.ts';
import type { Cascade } from '../snapshot/snapshot.ts';

/**
 * The first step below the threshold; from there to 1 the later steps share evenly. With two steps that is RouteLLM's rule: the
 * strong model where its chance to do better reaches the threshold.
 * @param score 0..1; undefined: nobody knows, and the first step it is
 */
export function firstStep(score: number | undefined, { steps, scorer }: Cascade): number {
  if (score === undefined || !scorer || score < scorer.threshold) return 0;
  const later = steps.length - 1;
  const share = scorer.threshold < 1 ? (score - scorer.threshold) / (1 - scorer.threshold) : 1;
  return 1 + Math.min(later - 1, Math.floor(share * later));
}

/** What a scorer answered: `{"score": 0..1}`. Anything else is no score. */
export function scoreOf(body: string): number | undefined {
  try {
    const { score } = JSON.parse(body) as { score?: unknown };
    return typeof score === 'number' && score >= 0 && score <= 1 ? score : undefined;
  } catch {
    return undefined;
  }
}

const SCORED_CHARACTERS = 32_768;

/** The text that is scored: what the user said last. */
export function promptText({ messages }: Pick<ChatRequest, 'messages'>): string {
  const last = messages.findLast(message => message.role === 'user');
  const texts = last?.content.flatMap(part => (part.kind === 'text' ? [part.text] : [])) ?? [];
  return texts.join('\n').slice(0, SCORED_CHARACTERS);
}
