// How often hits are wrong: a share of those that are served for other words is asked upstream as well, while their clients have their
// answers already, and the two answers are compared. Each is a row of the gateway's own. What is found tightens the match of the route and the
// threshold of the entry.
import { agrees, textOfReply } from '#core/cache/agreement.ts';
import { type Estimate, FalseHits, learntThreshold, type Strictness } from '#core/cache/false-hits.ts';
import { read } from '#core/cache/reading.ts';
import type { AnswerCache } from '#core/snapshot/snapshot.ts';
import { type Aside, askAside, onlyAt } from '../aside.ts';
import type { LiveKey } from '../config/live.ts';
import type { Ports } from '../ports.ts';
import type { KeptAnswer } from '../visit.ts';
import { cosine } from './embedders/embedder.ts';
import { staticEmbedder } from './embedders/static.ts';
import type { Match } from './lookup.ts';
import type { Question } from './question.ts';
import type { CacheStore } from './store.ts';

export type SamplingParts = {
  readonly ports: Ports;
  /** Who pays. */
  readonly key: LiveKey;
  readonly setThreshold: CacheStore['setThreshold'];
  readonly onSampled: (route: string, outcome: 'agreed' | 'differed' | 'failed', estimate: Estimate, tightened: boolean) => void;
};

/** Samples under way; one more is not taken. */
const MAX_UNDER_WAY = 4;
const MAX_ROUTES = 1000;

export class Sampling {
  readonly #parts: SamplingParts;
  /** By route and what it asks for: a reload that changes neither forgets nothing. */
  readonly #routes = new Map<string, FalseHits>();
  #underWay = 0;

  constructor(parts: SamplingParts) {
    this.#parts = parts;
  }

  strictnessOf(route: string, cache: AnswerCache): Strictness {
    return cache.sample > 0 ? this.#of(route, cache).strictness : cache;
  }

  /** Equal words have equal answers: only what was served for other words is looked at. */
  hit(aside: Aside, { route, cache }: Question, { entry, similarity }: Match, kept: KeptAnswer): void {
    const { ports } = this.#parts;
    if (kept.tier === 'exact' || ports.random() >= cache.sample || this.#underWay >= MAX_UNDER_WAY) return;
    this.#underWay++;
    const { key } = this.#parts;
    const call = { ...aside.call, key, plan: onlyAt(aside.call, aside.call.plan.candidates[0]!) };
    const asked = askAside({ exchange: aside.exchange, call }, 'sample', ports).catch(() => undefined);
    void asked.then(reply => {
      this.#underWay--;
      const hits = this.#of(route, cache);
      if (!reply) return this.#parts.onSampled(route, 'failed', hits.estimate, false);
      const isRight = areEqual(textOfReply(kept.reply), textOfReply(reply));
      if (!isRight) void this.#parts.setThreshold(entry, learntThreshold(entry.threshold, similarity));
      const tightened = hits.sampled(isRight);
      this.#parts.onSampled(route, isRight ? 'agreed' : 'differed', hits.estimate, tightened);
    });
  }

  #of(route: string, cache: AnswerCache): FalseHits {
    const id = [route, cache.match, cache.similarity, cache.falseHitBudget].join(' ');
    let hits = this.#routes.get(id);
    if (!hits) {
      if (this.#routes.size >= MAX_ROUTES) this.#routes.delete(this.#routes.keys().next().value!);
      hits = new FalseHits(cache);
      this.#routes.set(id, hits);
    }
    return hits;
  }
}

function areEqual(served: string, fresh: string): boolean {
  const [one, other] = staticEmbedder().embedNow([served, fresh]);
  return agrees(read(served), read(fresh), cosine(one!, other!));
}
