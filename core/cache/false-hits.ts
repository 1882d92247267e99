// How often hits of a route were wrong, by the samples that were also asked upstream, and how far its match is tightened for it. Everything
// here belongs to one route; what was learnt under one strictness says nothing of the next.
import type { AnswerCache } from '../snapshot/snapshot.ts';
import { wilson } from './evaluate.ts';

export type Strictness = { readonly match: AnswerCache['match']; readonly similarity: number };

export type Estimate = {
  readonly samples: number;
  /** Of them, those whose answers did not agree. */
  readonly wrong: number;
  /** Of the share of false hits, at 95 %. */
  readonly low: number;
  readonly high: number;
};

const stricter: Partial<Record<AnswerCache['match'], AnswerCache['match']>> = { Balanced: 'Careful', Careful: 'Strict' };
const STEP = 0.05;
/** Fewer say little, whatever they say. */
const MIN_SAMPLES = 10;

export class FalseHits {
  #strictness: Strictness;
  readonly #budget: number | undefined;
  #samples = 0;
  #wrong = 0;

  /** @param cache of the route; `falseHitBudget` is the share that is too much */
  constructor({ match, similarity, falseHitBudget }: Pick<AnswerCache, 'match' | 'similarity' | 'falseHitBudget'>) {
    this.#strictness = { match, similarity };
    this.#budget = falseHitBudget;
  }

  /** As strict as the route at least. A similarity above 1 serves the same words alone. */
  get strictness(): Strictness {
    return this.#strictness;
  }

  get estimate(): Estimate {
    const [low, high] = wilson(this.#wrong, this.#samples);
    return { samples: this.#samples, wrong: this.#wrong, low, high };
  }

  /** @returns whether the match is stricter from now on: even the lower bound of the share is above the budget */
  sampled(isRight: boolean): boolean {
    this.#samples++;
    if (!isRight) this.#wrong++;
    const { samples, low } = this.estimate;
    if (this.#budget === undefined || samples < MIN_SAMPLES || low <= this.#budget) return false;
    this.#tighten();
    return true;
  }

  #tighten(): void {
    const { match, similarity } = this.#strictness;
    const next = stricter[match];
    // Rounded, as steps of a twentieth have no exact sum.
    this.#strictness = next ? { match: next, similarity } : { match, similarity: Math.round((similarity + STEP) * 100) / 100 };
    this.#samples = 0;
    this.#wrong = 0;
  }
}

/**
 * What is learnt for one entry from a hit that was wrong (after vCache: each entry has a threshold of its own): nothing that is as far away
 * counts as the same any more.
 */
export const learntThreshold = (before: number | undefined, similarity: number): number =>
  Math.min(1, Math.max(before ?? 0, similarity + LEARNT_MARGIN));

/** More than vectors of 8 bits are off. */
const LEARNT_MARGIN = 0.005;
