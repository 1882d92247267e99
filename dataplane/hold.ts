// What one request holds of its tenant's limits and budgets: an upper bound, taken before the first upstream byte, widened before
// each further attempt, and given back against what was really used when the request is over.
import { type CostRecord, type Written, written } from '#core/accounting/cost-record.ts';
import type { BudgetDemand, BudgetLevel, Demand } from '#core/admission/demand.ts';
import { type Refusal, refusalOf } from '#core/admission/refusal.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import { type EpochMillis, millis, type NanoUsd, nanoUsd, type Tokens, tokens } from '#core/units.ts';
import type { Admitter, Claimant, FailMode, Reserved } from './admission/admission.ts';
import type { AttemptBounds, Basis, Bound } from './bounds.ts';
import type { RowCopy } from './counters/counters.ts';
import type { RemainingLimit } from './head.ts';

/** An attempt that wants to be sent. */
export type Intent = {
  readonly attempt: number;
  readonly bounds: Pick<AttemptBounds, 'bound' | 'outputThatFits'>;
  readonly leaseUntil: EpochMillis;
  /** The answer may be made shorter so that it fits what is left. */
  readonly mayClamp: boolean;
  /** How it is written down. */
  readonly row: (reserved: NanoUsd) => CostRecord;
};

export type Covered =
  /** It may be sent. `copied`: its row outlives this process already. `outputLimit`: with an answer of no more tokens than this. */
  | { readonly kind: 'covered'; readonly row: Written; readonly copied: boolean; readonly outputLimit: Tokens | undefined }
  /** A budget is spent that leaves backends marked `downgrade`: this attempt is not sent. */
  | { readonly kind: 'downgrade'; readonly refusal: Failure }
  | { readonly kind: 'refused'; readonly failure: Failure };

export type HoldPorts = {
  readonly admitter: Admitter;
  readonly now: () => number;
  /** HTTP status of a request that a budget refuses. */
  readonly budgetExceededStatus: number;
};
export type Asking = (bound: Bound, leaseUntil: EpochMillis) => Demand;

/** Where the cost is this small a part of what is left, a rough bound does as well as a count. */
const ROUGH_PART = 1000;

export class Hold {
  readonly #asking: Asking;
  readonly #key: Claimant;
  readonly #ports: HoldPorts;
  /** What was asked for first. */
  #demand: Demand | undefined;
  #held: Bound | undefined;
  #basis: Basis = 'bytes';
  readonly #rows: (Written | Promise<Written>)[] = [];
  /** Attempts that were covered and are not over, and what the last of them may cost: beside it another one may be covered (a hedge). */
  #underWay = 0;
  #latest: Bound = nothing;
  /** Attempts that the counters keep a row of. */
  readonly #copied = new Set<number>();
  /** Each limit and what was left of it. Empty under a fail mode. */
  limits: readonly RemainingLimit[] = [];
  /** Which decided, if the counters could not be asked. */
  failMode: FailMode | undefined;

  constructor(asking: Asking, key: Claimant, ports: HoldPorts) {
    this.#asking = asking;
    this.#key = key;
    this.#ports = ports;
  }

  /** Reserves for an attempt before it is sent; the first time all that the request takes, later what is missing. */
  cover(intent: Intent): Promise<Covered> {
    return this.#held ? this.#widen(intent, this.#held) : this.#take(intent);
  }

  /** Counts a request that costs nothing: its limits hold, its budgets do not matter. @returns why it may not be answered */
  async coverFree(row: Written): Promise<Failure | undefined> {
    if (this.#held) {
      this.#rows.push(row);
      return undefined;
    }
    const { attempt, leaseUntil } = row.record;
    const demand = { ...this.#asking(nothing, leaseUntil), limitsAlone: true };
    const answer = await this.#ports.admitter.reserve(demand, this.#key, { attempt, json: row.json });
    this.failMode = answer.failMode;
    if (answer.kind !== 'unavailable') this.#tell(demand, answer.remaining);
    if (answer.kind === 'unavailable' || answer.kind === 'limited') return this.#refusal(answer, demand);
    this.#demand = demand;
    this.#held = nothing;
    this.#rows.push(row);
    return undefined;
  }

  /**
   * What was done beside attempts that are covered, and is told when it is done: it counts, whether there is room for it or not.
   * @returns why nothing more may be done
   */
  async besides(row: Written): Promise<Failure | undefined> {
    this.#rows.push(row);
    if (!this.#held) return undefined;
    const rows = await Promise.all(this.#rows);
    const done = usedBy(rows);
    const beside = this.#underWay > 0 ? this.#latest : nothing;
    const all = { cost: nanoUsd(done.cost + beside.cost), tokens: tokens(done.tokens + beside.tokens) };
    const extended = await this.#extend(all, this.#held, row.record.leaseUntil, rows);
    return 'class' in extended ? extended : undefined;
  }

  /** The row of an attempt that is over, or is to be known. */
  ended(row: Written | Promise<Written>): void {
    this.#underWay--;
    this.#rows.push(row);
  }

  /** Gives back what is held, against what the attempts cost; at once where all of it is known. */
  settle(): void | Promise<void> {
    const known = this.#rows.filter(row => !(row instanceof Promise)) as Written[];
    if (known.length === this.#rows.length) return this.#giveBack(known);
    return Promise.all(this.#rows).then(rows => this.#giveBack(rows));
  }

  #giveBack(rows: readonly Written[]): void {
    if (!this.#demand || !this.#held) return;
    const { tenant, id, limits, budgets } = this.#demand;
    this.#ports.admitter.settle({ tenant, id, limits, budgets, ...usedBy(rows) }, this.#key, copiesOf(rows));
    for (const { record } of rows) this.#copied.delete(record.attempt);
    // What was covered and never sent is no row.
    const unsent = [...this.#copied].map(attempt => ({ requestId: id, attempt }));
    if (unsent.length > 0) this.#ports.admitter.forget(tenant, unsent);
  }

  async #take(intent: Intent): Promise<Covered> {
    const { bounds } = intent;
    const rough = bounds.bound('bytes');
    const bound = rough instanceof Promise ? await rough : rough;
    const demand = this.#asking(bound, intent.leaseUntil);
    const first = this.#wantsCount(demand)
      ? this.#reserve(intent, await this.#counted(bounds))
      : this.#reserve(intent, bound, demand);
    let asked = first instanceof Promise ? await first : first;
    if (isRefused(asked.answer) && this.#basis === 'bytes') asked = await this.#reserve(intent, await this.#counted(bounds));
    if (isInTheWay(asked, intent.mayClamp)) {
      await this.#ports.admitter.endingsSettled();
      asked = await this.#reserve(intent, asked.bound);
    }
    let outputLimit: Tokens | undefined;
    if (asked.answer.kind === 'exhausted' && intent.mayClamp) {
      outputLimit = await bounds.outputThatFits(leftOf(asked.demand.budgets, asked.answer.levels));
      if (outputLimit !== undefined) asked = await this.#reserve(intent, await bounds.bound('counted', outputLimit));
    }
    return this.#decided(intent, asked, outputLimit);
  }

  #decided(intent: Intent, { answer, demand, row, bound }: Asked, outputLimit: Tokens | undefined): Covered {
    if (answer.kind !== 'unavailable') this.#tell(demand, answer.remaining);
    this.failMode = answer.failMode;
    if (answer.kind !== 'granted') {
      if (answer.kind === 'exhausted') this.#ports.admitter.tellExhausted(demand, answer, this.#key);
      return { kind: 'refused', failure: this.#refusal(answer, demand) };
    }
    this.#demand = demand;
    this.#held = bound;
    if (answer.copied) this.#copied.add(intent.attempt);
    const budget = exhaustedDowngrade(demand.budgets, answer.levels);
    if (budget < 0) {
      this.#goes(bound);
      return { kind: 'covered', row, copied: answer.copied, outputLimit };
    }
    return {
      kind: 'downgrade',
      refusal: this.#refusal({ kind: 'exhausted', budget, levels: answer.levels, remaining: [] }, demand),
    };
  }

  async #widen(intent: Intent, held: Bound): Promise<Covered> {
    // What is over and what is not, at one moment: an attempt that ends meanwhile would be neither.
    const beside = this.#underWay > 0 ? this.#latest : nothing;
    const [before, bound] = await Promise.all([Promise.all(this.#rows), intent.bounds.bound(this.#basis)]);
    const done = usedBy(before);
    const used = { cost: done.cost + beside.cost, tokens: done.tokens + beside.tokens };
    const all = { cost: nanoUsd(used.cost + bound.cost), tokens: tokens(used.tokens + bound.tokens) };
    const row = written(intent.row(bound.cost));
    const extended = await this.#extend(all, held, intent.leaseUntil, [...before, row]);
    if ('class' in extended) return { kind: 'refused', failure: extended };
    if (extended.copied) this.#copied.add(intent.attempt);
    this.#goes(bound);
    return { kind: 'covered', row, copied: extended.copied, outputLimit: undefined };
  }

  /** Reserves what is missing of all that the request takes. @returns why it cannot */
  async #extend(
    all: Bound,
    held: Bound,
    leaseUntil: EpochMillis,
    rows: readonly Written[],
  ): Promise<Failure | { readonly copied: boolean }> {
    const more = {
      cost: nanoUsd(Math.max(0, all.cost - held.cost)),
      tokens: tokens(Math.max(0, all.tokens - held.tokens)),
    };
    const { tenant, id, limits, budgets } = this.#demand!;
    const extension = { tenant, id, limits, budgets, ...more, leaseUntil };
    const extended = await this.#ports.admitter.extend(extension, this.#key, copiesOf(rows));
    if (extended.kind === 'granted' || extended.kind === 'unavailable') this.failMode ??= extended.failMode;
    if (extended.kind === 'unavailable') return unavailable();
    if (extended.kind === 'limited') return failure('rate_limit_exceeded', { retryAfter: millis(1000) });
    if (extended.kind === 'exhausted') {
      const message = `Budget ${budgets[extended.budget]?.name} has no room for a further attempt of this request.`;
      return failure('budget_exceeded', { message, status: this.#ports.budgetExceededStatus });
    }
    this.#held = { cost: nanoUsd(held.cost + more.cost), tokens: tokens(held.tokens + more.tokens) };
    return { copied: extended.copied };
  }

  #tell({ limits }: Demand, remaining: readonly number[]): void {
    this.limits = remaining.map((left, index) => ({ ...limits[index]!, remaining: left }));
  }

  #goes(bound: Bound): void {
    this.#underWay++;
    this.#latest = bound;
  }

  /** A count is work: it is done for limits of tokens, and where the cost is no trifle against what is left. */
  #wantsCount(demand: Demand): boolean {
    if (demand.limits.some(({ kind }) => kind === 'tokens')) return true;
    if (demand.budgets.length === 0 || demand.cost === 0) return false;
    const left = this.#ports.admitter.remainder(demand);
    return left === undefined || demand.cost * ROUGH_PART > left;
  }

  #counted(bounds: Intent['bounds']): Bound | Promise<Bound> {
    this.#basis = 'counted';
    return bounds.bound('counted');
  }

  #reserve(intent: Intent, bound: Bound, demand = this.#asking(bound, intent.leaseUntil)): Asked | Promise<Asked> {
    const row = written(intent.row(bound.cost));
    const copy = { attempt: intent.attempt, json: row.json };
    const answer = this.#ports.admitter.reserve(demand, this.#key, copy);
    if (answer instanceof Promise) return answer.then(told => ({ bound, row, demand, answer: told }));
    return { bound, row, demand, answer };
  }

  #refusal(answer: Refused, demand: Demand): Failure {
    if (answer.kind === 'unavailable') return unavailable();
    const refused = refusalOf(answer, demand, this.#ports.now() as EpochMillis);
    return answer.kind === 'exhausted' ? { ...refused, status: this.#ports.budgetExceededStatus } : refused;
  }
}

const nothing: Bound = { cost: nanoUsd(0), tokens: tokens(0) };

const unavailable = (): Failure => failure('store_unavailable', { retryAfter: millis(1000) });

type Asked = { readonly bound: Bound; readonly row: Written; readonly demand: Demand; readonly answer: Reserved };
type Refused = Extract<Reserved, { kind: 'unavailable' }> | Refusal;

const copiesOf = (rows: readonly Written[]): readonly RowCopy[] =>
  rows.map(({ record, json }) => ({ attempt: record.attempt, json }));

const isRefused = ({ kind }: Reserved): boolean => kind === 'exhausted' || kind === 'limited';

const leftIn = ({ amount }: BudgetDemand, { settled, reserved }: BudgetLevel): number => amount - settled - reserved;

/** Refused for what other requests hold, some of which may be over without the counters knowing it yet. */
function isInTheWay({ answer, demand }: Asked, mayClamp: boolean): boolean {
  if (answer.kind === 'limited') return demand.limits[answer.limit]?.kind !== 'requests';
  if (answer.kind !== 'exhausted') return false;
  const [level, budget] = [answer.levels[answer.budget], demand.budgets[answer.budget]];
  return level !== undefined && level.reserved > 0 && (mayClamp || level.settled + demand.cost <= budget!.amount);
}

const exhaustedDowngrade = (budgets: Demand['budgets'], levels: readonly BudgetLevel[]): number =>
  budgets.findIndex(
    (budget, i) => budget.onExhausted === 'Downgrade' && levels[i] !== undefined && leftIn(budget, levels[i]) < 0,
  );

/** Of the tightest budget that blocks. */
function leftOf(budgets: Demand['budgets'], levels: readonly BudgetLevel[]): NanoUsd {
  const left = budgets.map((b, i) => (b.onExhausted === 'Block' && levels[i] ? leftIn(b, levels[i]) : Number.POSITIVE_INFINITY));
  return nanoUsd(Math.max(0, Math.min(...left)));
}

function usedBy(rows: readonly Written[]): Bound {
  let cost = 0;
  let used = 0;
  for (const { record } of rows) {
    cost += record.cost ?? 0;
    used += promptTokens(record.usage) + record.usage.output;
  }
  return { cost: nanoUsd(cost), tokens: tokens(used) };
}
