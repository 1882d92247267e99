// Near misses, shown to a model in the background: similar enough, but a guard or a word refused. What it approves is found by those words
// from then on. Bounded in number and in spend, and each call is a row of the gateway's own.
import { randomBytes } from 'node:crypto';
import { textOfReply } from '#core/cache/agreement.ts';
import { type Asked, isApproval, isJudgeable, judgeQuestion } from '#core/cache/judge-question.ts';
import type { AnswerCache } from '#core/snapshot/snapshot.ts';
import { type Aside, asideOf, askAside } from '../aside.ts';
import type { LiveKey } from '../config/live.ts';
import type { Ports } from '../ports.ts';
import { reportedCost } from '../settle.ts';
import type { NearMiss } from './lookup.ts';
import type { Question } from './question.ts';
import type { CacheStore } from './store.ts';

type Judge = NonNullable<AnswerCache['judge']>;

export type JudgingParts = {
  readonly ports: Ports;
  /** Who pays. */
  readonly key: LiveKey;
  readonly alias: CacheStore['alias'];
  readonly onJudged: (route: string, outcome: JudgeOutcome) => void;
};

/** `skipped`: beyond the bounds, or one that speaks to its judge. */
export type JudgeOutcome = 'approved' | 'refused' | 'failed' | 'skipped';

const MAX_UNDER_WAY = 4;
/** Pairs that are not asked about again. */
const MAX_KNOWN = 10_000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export class Judging {
  readonly #parts: JudgingParts;
  readonly #known = new Set<string>();
  readonly #used = new Map<string, Use>();
  #underWay = 0;

  constructor(parts: JudgingParts) {
    this.#parts = parts;
  }

  /** @returns whether the entry is found by the words of the question from now on */
  async nearMiss(aside: Aside, question: Question, { entry }: NearMiss): Promise<boolean> {
    const { judge } = question.cache;
    const pair = `${entry.id} ${question.key}`;
    if (!judge || this.#known.has(pair)) return false;
    if (![entry.prompt, question.prompt].every(isJudgeable) || !this.#mayAsk(question.route, judge)) {
      this.#parts.onJudged(question.route, 'skipped');
      return false;
    }
    this.#remember(pair);
    this.#underWay++;
    const approved = await this.#isSame(aside, question.route, judge, entry.prompt, question.prompt).catch(() => undefined);
    this.#underWay--;
    this.#parts.onJudged(question.route, approved === undefined ? 'failed' : approved ? 'approved' : 'refused');
    return approved === true && this.#parts.alias(entry, question.key);
  }

  /** Twice, the other way round: who always says the first word, or is talked into one, approves nothing. */
  async #isSame(aside: Aside, route: string, judge: Judge, kept: string, asked: string): Promise<boolean | undefined> {
    const [one, other] = [randomBytes(4).toString('hex'), randomBytes(4).toString('hex')];
    const first = await this.#ask(aside, route, judge, { one: kept, other: asked, same: one, different: other, sameFirst: true });
    if (first !== true) return first;
    return this.#ask(aside, route, judge, { one: asked, other: kept, same: other, different: one, sameFirst: false });
  }

  async #ask({ exchange, call }: Aside, route: string, judge: Judge, asked: Asked): Promise<boolean | undefined> {
    const { ports, key } = this.#parts;
    const own = { exchange, call: { ...call, key } };
    const aside = asideOf(own, 'cache-judge', judge, model => judgeQuestion(model, exchange.frontend.dialect, asked));
    const reply = aside && (await askAside(aside, 'cache-judge', ports));
    if (!reply) return undefined;
    const cost = reportedCost(aside.call.plan.candidates[0]!, reply.usage);
    this.#useOf(route).spent += cost ?? 0;
    return isApproval(textOfReply(reply), asked);
  }

  /** Each process has its part of what the route allows. */
  #mayAsk(route: string, { maxPerMinute, budgetPerDay }: Judge): boolean {
    const use = this.#useOf(route);
    const pods = Math.max(1, this.#parts.ports.surroundings.pods());
    if (this.#underWay >= MAX_UNDER_WAY || use.asked >= Math.max(1, maxPerMinute / pods)) return false;
    if (budgetPerDay !== undefined && use.spent >= budgetPerDay / pods) return false;
    use.asked++;
    return true;
  }

  #useOf(route: string): Use {
    const now = this.#parts.ports.now();
    const [minute, day] = [Math.floor(now / MINUTE_MS), Math.floor(now / DAY_MS)];
    let use = this.#used.get(route);
    if (!use) {
      use = { minute, asked: 0, day, spent: 0 };
      this.#used.set(route, use);
    }
    if (use.minute !== minute) Object.assign(use, { minute, asked: 0 });
    if (use.day !== day) Object.assign(use, { day, spent: 0 });
    return use;
  }

  #remember(pair: string): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.values().next().value!);
    this.#known.add(pair);
  }
}

/** Of one route: judgements of the minute, nano-dollars of the day (UTC). */
type Use = { minute: number; asked: number; day: number; spent: number };
