// What there is for a question: the answer to the same words, or to words that mean the same. Candidates are looked at, the nearest first,
// until one is found to be the same; each that is refused is told with the guard that refused it.
import type { AnswerCache } from '#core/snapshot/snapshot.ts';
import type { CacheRefusal, CacheTier } from '../visit.ts';
import type { Kind, Question } from './question.ts';
import type { CacheEntry, CacheStore } from './store.ts';

/** Whether two questions mean the same, for the routes that match by it. */
export type Meaning = {
  /** What the entries of a route are kept apart by. */
  kindOf(cache: AnswerCache): Kind;
  /** Loads what questions of this cache are compared by, which takes a part of a second. */
  prepare(cache: AnswerCache): void;
  inquire(cache: AnswerCache, prompt: string): Inquiry;
};

/** One question, to be compared with many. */
export type Inquiry = {
  /** undefined: the embedder does not answer, or has nothing to say of these words. */
  vector(): Promise<Float32Array | undefined>;
  /** @param threshold least similarity */
  compare(entry: CacheEntry, similarity: number, threshold: number): Verdict;
};

/** `refusedBy`: `similarity`, or the name of a guard. */
export type Verdict = { readonly hit: true } | { readonly hit: false; readonly refusedBy: string };

/** The route's, or stricter. */
export type Rules = { readonly match: AnswerCache['match']; readonly similarity: number };

export type Match = { readonly entry: CacheEntry; readonly similarity: number; readonly tier: CacheTier };

/** A question that is near, and was found not to be the same: a judge may think otherwise. */
export type NearMiss = { readonly entry: CacheEntry; readonly similarity: number };

export type Found = {
  readonly fresh: Match | undefined;
  /** Has expired. */
  readonly stale: Match | undefined;
  readonly refused: readonly CacheRefusal[];
  readonly near: NearMiss | undefined;
  /** Of the question, where it was asked for. */
  readonly vector: Float32Array | undefined;
};

/** How many of the nearest are looked at. */
const CANDIDATES = 8;

const nothing: Found = { fresh: undefined, stale: undefined, refused: [], near: undefined, vector: undefined };

export class Lookup {
  readonly #store: CacheStore;
  readonly #meaning: Meaning;
  readonly #now: () => number;

  constructor(store: CacheStore, meaning: Meaning, now: () => number) {
    this.#store = store;
    this.#meaning = meaning;
    this.#now = now;
  }

  /** The same words alone. */
  exact(question: Question): Found {
    const entry = this.#store.exact(question.partition, question.key);
    if (!entry || this.#isTooOld(entry, question)) return nothing;
    const tier = entry.key === question.key ? 'exact' : 'alias';
    return this.#sorted({ entry, similarity: 1, tier });
  }

  async byMeaning(question: Question, rules: Rules): Promise<Found> {
    const inquiry = this.#meaning.inquire({ ...question.cache, match: rules.match }, question.prompt);
    const vector = await inquiry.vector();
    if (!vector) return nothing;
    const neighbours = this.#store.nearest(question.partition, vector, CANDIDATES, rules.similarity);
    if (neighbours.length === 0) return { ...nothing, vector };
    const refused: CacheRefusal[] = [];
    let stale: Match | undefined;
    let near: NearMiss | undefined;
    for (const { entry, similarity } of neighbours) {
      if (this.#isTooOld(entry, question)) continue;
      const verdict = inquiry.compare(entry, similarity, Math.max(rules.similarity, entry.threshold ?? 0));
      if (!verdict.hit) {
        refused.push({ entry: entry.id, similarity, guard: verdict.refusedBy });
        near ??= { entry, similarity };
        continue;
      }
      const found = this.#sorted({ entry, similarity, tier: 'semantic' });
      if (found.fresh) return { ...found, stale, refused, near, vector };
      stale ??= found.stale;
    }
    return { fresh: undefined, stale, refused, near, vector };
  }

  #sorted(match: Match): Found {
    const isFresh = this.#now() < match.entry.freshUntil;
    return { ...nothing, fresh: isFresh ? match : undefined, stale: isFresh ? undefined : match };
  }

  #isTooOld({ createdAt }: CacheEntry, { maxAge }: Question): boolean {
    return this.#now() - createdAt > maxAge;
  }
}
