// The cache as the loop sees it: one visit for each request of a route that has one. A look-up asks nobody but its own process's index,
// and only the answer itself is fetched; what others make at this moment is waited for a little.
import { isKeepable } from '#core/cache/keepable.ts';
import { type Millis, millis } from '#core/units.ts';
import type { Aside } from '../aside.ts';
import type { Call } from '../call.ts';
import type { ChatExchange } from '../exchange.ts';
import type { Answers } from '../ports.ts';
import type { CacheTold, CacheVisit, KeptAnswer } from '../visit.ts';
import type { Judging } from './judging.ts';
import { type Found, Lookup, type Match, type Meaning, type Rules } from './lookup.ts';
import { type Question, type QuestionParts, questionOf } from './question.ts';
import type { Sampling } from './sampling.ts';
import { flightOf } from './single-flight.ts';
import type { CachedAnswer, CacheStore, Lead, SingleFlight } from './store.ts';

export type AnswersParts = QuestionParts & {
  readonly store: CacheStore;
  readonly flights: SingleFlight;
  readonly meaning: Meaning;
  readonly sampling: Pick<Sampling, 'strictnessOf' | 'hit'>;
  readonly judging: Pick<Judging, 'nearMiss'>;
  readonly monotonic: () => number;
};

/**
 * How long a request waits for another one that asks the same. A streamed one would have its first words by then; a whole one would
 * itself take about as long as the other.
 */
const PATIENCE = { streamed: millis(2000), whole: millis(8000) } as const;

export class AnswerCaches implements Pick<Answers, 'visit'> {
  readonly #parts: VisitParts;
  readonly #lookup: Lookup;

  constructor(parts: AnswersParts) {
    this.#parts = { ...parts, justMade: new Map() };
    this.#lookup = new Lookup(parts.store, parts.meaning, parts.now);
  }

  async visit(exchange: ChatExchange, call: Call): Promise<CacheVisit> {
    const startedAt = this.#parts.monotonic();
    const cache = call.plan.route!.cache!;
    const question = questionOf(exchange, call, cache, this.#parts.meaning.kindOf(cache), this.#parts);
    if (typeof question === 'string') return bypass(question);
    const visit = new Visit(question, { exchange, call }, this.#parts);
    if (!question.mayRead) visit.state = 'bypass';
    else await this.#look(visit, patienceOf(call));
    visit.ms = this.#parts.monotonic() - startedAt;
    return visit;
  }

  async #look(visit: Visit, patience: Millis): Promise<void> {
    const { question } = visit;
    visit.note(this.#lookup.exact(question));
    if (await visit.serve()) return;
    if (question.kind === 'semantic') visit.note(await this.#lookup.byMeaning(question, this.#rulesFor(question)));
    if (await visit.serve()) return;
    visit.askJudge();
    // In shadow all goes as it would without a cache.
    if (question.mayStore && !question.cache.shadow) await this.#takeOff(visit, patience);
  }

  /** The route's, as strict as it has become, or the request's own. */
  #rulesFor({ route, cache, similarity }: Question): Rules {
    const strictness = this.#parts.sampling.strictnessOf(route, cache);
    return { match: strictness.match, similarity: Math.max(strictness.similarity, similarity) };
  }

  /** One of all that ask the same goes on; to the others its answer comes, or the one that it is about to replace. */
  async #takeOff(visit: Visit, patience: Millis): Promise<void> {
    const { question } = visit;
    const { flights } = this.#parts;
    const flight = flightOf(question);
    if (visit.expired) {
      visit.lead = await flights.tryLead(question.tenant, flight);
      if (!visit.lead) await visit.serveStale();
      return;
    }
    const turn = await flights.enter(question.tenant, flight, patience);
    if (turn.kind === 'lead') visit.lead = turn.lead;
    if (turn.kind !== 'stored') return;
    visit.waited = true;
    if (visit.serveJustMade()) return;
    visit.note(this.#lookup.exact(question));
    await visit.serve();
  }
}

const patienceOf = ({ envelope }: Call): Millis => (envelope.stream ? PATIENCE.streamed : PATIENCE.whole);

const bypass = (reason: string): CacheVisit => ({
  state: 'bypass',
  serves: undefined,
  stale: undefined,
  wantsAnswer: false,
  told: { bypass: reason, isShadow: false, refused: [], waited: false, ms: 0 },
  end: () => {},
});

type VisitParts = AnswersParts & {
  /** Answers that those who wait are told of at this moment, by their flight: they have them also where the store is away. */
  readonly justMade: Map<string, CachedAnswer>;
};

class Visit implements CacheVisit {
  state: CacheVisit['state'] = 'miss';
  serves: KeptAnswer | undefined;
  stale: KeptAnswer | undefined;
  lead: Lead | undefined;
  waited = false;
  ms = 0;
  readonly question: Question;
  readonly #aside: Aside;
  readonly #parts: VisitParts;
  /** Another entry is found by these words. */
  #isAliased = false;
  #fresh: Match | undefined;
  /** The entry that is served, or would be in shadow. */
  #match: Match | undefined;
  expired: Match | undefined;
  #found: Pick<Found, 'refused' | 'near' | 'vector'> = { refused: [], near: undefined, vector: undefined };
  #isOver = false;

  constructor(question: Question, aside: Aside, parts: VisitParts) {
    this.question = question;
    this.#aside = aside;
    this.#parts = parts;
  }

  get wantsAnswer(): boolean {
    return this.question.mayStore && this.question.ttl > 0;
  }

  get told(): CacheTold {
    return {
      bypass: this.question.mayRead ? undefined : 'no-cache',
      entry: this.#match?.entry.id,
      similarity: this.#match?.similarity,
      tier: this.#match?.tier,
      isShadow: this.question.cache.shadow,
      refused: this.#found.refused,
      waited: this.waited,
      ms: this.ms,
    };
  }

  note(found: Found): void {
    this.#fresh = found.fresh;
    this.expired ??= found.stale;
    if (found.vector) this.#found = found;
  }

  /** @returns whether there is an answer to give */
  async serve(): Promise<boolean> {
    const kept = this.#fresh && (await this.#keptOf(this.#fresh));
    if (!kept) return this.#prepareForNobody();
    this.#match = this.#fresh;
    if (this.question.cache.shadow) return true;
    this.serves = kept;
    this.state = 'hit';
    this.#parts.sampling.hit(this.#aside, this.question, this.#match!, kept);
    return true;
  }

  /** Of the nearest question that was not found to be the same; nobody waits for what it says. */
  askJudge(): void {
    const { near } = this.#found;
    if (!near || !this.question.cache.judge || !this.question.mayStore) return;
    void this.#parts.judging.nearMiss(this.#aside, this.question, near).then(isAliased => {
      this.#isAliased = isAliased;
    });
  }

  serveJustMade(): boolean {
    const answer = this.#parts.justMade.get(flightOf(this.question));
    if (!answer) return false;
    this.serves = { ...answer, key: this.question.partition, similarity: 1, tier: 'exact' };
    this.state = 'hit';
    return true;
  }

  /** Somebody makes it anew at this moment. */
  async serveStale(): Promise<void> {
    if (!this.stale) return;
    this.#match = this.expired;
    this.serves = this.stale;
    this.state = 'stale';
  }

  end(answer: CachedAnswer | undefined, clientLeft: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (clientLeft) {
      this.lead?.passOn();
      return;
    }
    const isKept = answer && this.wantsAnswer && !this.#isAliased && isKeepable(answer.reply, this.question.cache);
    if (!isKept) this.lead?.end(false);
    else void this.#keep(answer).then(() => this.#tell(answer));
  }

  /** Those who wait read it in this very moment. */
  #tell(answer: CachedAnswer): void {
    if (!this.lead) return;
    const { justMade, store } = this.#parts;
    // Some of them may have come after the flush.
    if (store.isFlushed(this.question)) {
      this.lead.end(false);
      return;
    }
    const flight = flightOf(this.question);
    justMade.set(flight, answer);
    this.lead.end(true);
    setImmediate(() => justMade.delete(flight));
  }

  /** An answer that has expired is fetched while the upstream may still be well: it is there when nobody is left. */
  async #prepareForNobody(): Promise<boolean> {
    if (this.expired && !this.stale && !this.question.cache.shadow) this.stale = await this.#keptOf(this.expired);
    return false;
  }

  async #keptOf({ entry, similarity, tier }: Match): Promise<KeptAnswer | undefined> {
    const answer = await this.#parts.store.answer(entry);
    return answer && { ...answer, key: entry.id, similarity, tier };
  }

  async #keep(answer: CachedAnswer): Promise<void> {
    const { cache, kind, prompt, route, tenant, model, tags, partition, key, ttl, askedAt } = this.question;
    const { meaning, store } = this.#parts;
    const isSemantic = kind === 'semantic';
    const vector = isSemantic ? (this.#found.vector ?? (await meaning.inquire(cache, prompt).vector())) : undefined;
    await store.put(
      {
        partition,
        key,
        prompt: isSemantic ? prompt : '',
        tenant,
        route,
        model,
        tags,
        ...meaning.kindOf(cache),
        ...(vector && { vector }),
        askedAt,
        ttl,
        staleFor: cache.staleFor,
      },
      answer,
    );
  }
}
