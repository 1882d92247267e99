// What the requests of one key ask of the counters of its tenant. Made once for a key of a snapshot; a request then costs a look-up
// by the model it names.
import { type Calendar, isWithin, type Span } from '../accounting/periods.ts';
import { type Glob, glob } from '../plan/glob.ts';
import type { BudgetEntry, KeyEntry } from '../snapshot/snapshot.ts';
import { type EpochMillis, epochMillis, type NanoUsd, nanoUsd, type Tokens, tokens, uuidTime } from '../units.ts';
import type { BudgetDemand, Demand, LimitDemand } from './demand.ts';
import type { Account } from './sums.ts';

/** One request, or what it wants more of. */
export type Ask = {
  readonly modelRequested: string;
  /** UUIDv7: its time is that of admission. */
  readonly requestId: string;
  readonly bound: { readonly cost: NanoUsd; readonly tokens: Tokens };
  readonly leaseUntil: EpochMillis;
  readonly limitsAlone: boolean;
};

export type DemandParts = {
  readonly calendar: Calendar;
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
};

export class KeyDemands {
  readonly #tenant: string;
  readonly #limits: readonly Filtered<LimitDemand>[];
  readonly #budgets: readonly Filtered<Budget>[];
  readonly #calendar: Calendar;
  readonly #byModel = new Map<string, OfModel>();

  /** @param tenantBudgets those of `Snapshot.tenants` */
  constructor(key: KeyEntry, tenantBudgets: readonly BudgetEntry[], { calendar, digest }: DemandParts) {
    this.#tenant = key.tenant;
    this.#calendar = calendar;
    this.#limits = limitsOf(key);
    this.#budgets = [...budgetsOf(key.budgets, nameOf(key), digest), ...budgetsOf(tenantBudgets, undefined, digest)];
  }

  of({ modelRequested, requestId, bound, leaseUntil, limitsAlone }: Ask): Demand {
    const ofModel = this.#byModel.get(modelRequested) ?? this.#remembered(modelRequested);
    return {
      tenant: this.#tenant,
      id: requestId,
      limits: ofModel.limits,
      budgets: ofModel.budgets.length === 0 ? NO_BUDGETS : this.#budgetsAt(ofModel, uuidTime(requestId)),
      cost: bound.cost,
      tokens: tokens(Math.min(bound.tokens, ofModel.mostTokens)),
      leaseUntil,
      limitsAlone,
    };
  }

  /**
   * Whether a request that names `model` counts in all that one for `other` would: only then may it end there. A request counts by the
   * name it was made with, so a fallback of the client's own could leave out what its key has for that model.
   */
  covers(model: string, other: string): boolean {
    const [asked, wanted] = [model, other].map(name => this.#byModel.get(name) ?? this.#remembered(name)) as [OfModel, OfModel];
    return wanted.limits.every(l => asked.limits.includes(l)) && wanted.budgets.every(b => asked.budgets.includes(b));
  }

  /** All sums that requests of the key count in at this moment, whatever their model: what a rebuild restores. */
  accounts(at: EpochMillis): readonly Account[] {
    return this.#budgets.map(({ of: { entry, account, ofKey }, matches }) => ({
      account,
      span: this.#calendar.periodOf(entry.period, entry.timeZone, at),
      counts: (keyName, modelRequested) => (ofKey === undefined || ofKey === keyName) && matches(modelRequested),
    }));
  }

  #remembered(model: string): OfModel {
    const limits = this.#limits.filter(({ matches }) => matches(model)).map(({ of }) => of);
    const budgets = this.#budgets.filter(({ matches }) => matches(model)).map(({ of }) => of);
    const tokenLimits = limits.filter(limit => limit.kind === 'tokens').map(limit => limit.max);
    const ofModel: OfModel = {
      limits,
      budgets,
      mostTokens: Math.min(Number.MAX_SAFE_INTEGER, ...tokenLimits),
      last: { demands: [], span: NEVER },
    };
    if (this.#byModel.size >= MAX_MODELS) this.#byModel.clear();
    this.#byModel.set(model, ofModel);
    return ofModel;
  }

  #budgetsAt(ofModel: OfModel, at: EpochMillis): readonly BudgetDemand[] {
    if (isWithin(ofModel.last.span, at)) return ofModel.last.demands;
    const spans = ofModel.budgets.map(({ entry }) => this.#calendar.periodOf(entry.period, entry.timeZone, at));
    const demands = ofModel.budgets.map(({ demand }, index) => inPeriod(demand, spans[index]!));
    ofModel.last = { demands, span: intersection(spans) };
    return demands;
  }
}

/** `namespace/name`, as rows of the cost log have it. */
const nameOf = ({ namespace, name }: KeyEntry): string => `${namespace}/${name}`;

type Filtered<T> = { readonly of: T; readonly matches: Glob };

/** What is alike in all requests for one model. */
type OfModel = {
  readonly limits: readonly LimitDemand[];
  readonly budgets: readonly Budget[];
  /** The smallest limit of tokens: a request that is larger by itself waits until it has all of it. */
  readonly mostTokens: number;
  /** Of the last request, and for as long as no budget starts anew. */
  last: { readonly demands: readonly BudgetDemand[]; readonly span: Span };
};

/** Clients name the models: more names than anyone uses are no reason to keep them all. */
const MAX_MODELS = 200;

/** A model is asked for by its name, or by that of its provider and its own. */
const modelGlob = (pattern: string): Glob => {
  const matches = glob(pattern);
  return model => matches(model) || matches(model.slice(model.indexOf('/') + 1));
};

// ---------------------------------------------------------------- limits

const kinds = [
  { of: 'rpm', kind: 'requests' },
  { of: 'tpm', kind: 'tokens' },
  { of: 'maxConcurrency', kind: 'concurrency' },
] as const;

/** Those of the key, then those of every pattern that fits the model: a request counts against them all. */
function limitsOf(key: KeyEntry): readonly Filtered<LimitDemand>[] {
  const all = [{ ...key.limits, model: undefined }, ...key.limits.perModel];
  return all.flatMap(limits => {
    const matches = limits.model === undefined ? () => true : modelGlob(limits.model);
    const suffix = limits.model === undefined ? '' : `/${limits.model}`;
    return kinds.flatMap(({ of, kind }) => {
      const max = limits[of];
      return max === undefined ? [] : [{ of: { id: `${nameOf(key)}/${of}${suffix}`, kind, max }, matches }];
    });
  });
}

// ---------------------------------------------------------------- budgets

type Budget = {
  readonly entry: BudgetEntry;
  readonly account: string;
  /** Whose costs count; undefined: those of the whole tenant. */
  readonly ofKey: string | undefined;
  readonly demand: Omit<BudgetDemand, 'period' | 'resetAt'>;
};

function budgetsOf(
  entries: readonly BudgetEntry[],
  ofKey: string | undefined,
  digest: DemandParts['digest'],
): Filtered<Budget>[] {
  const taken = new Map<string, number>();
  return entries.map(entry => {
    const { name, scope, amount, onExhausted, models } = entry;
    const sums = accountOf(entry, ofKey, digest);
    const times = (taken.get(sums) ?? 0) + 1;
    taken.set(sums, times);
    // Two budgets of one kind (one that warns, one that blocks) count the same costs, and each must count them once.
    const account = times === 1 ? sums : `${sums}|${times}`;
    const globs = models.map(modelGlob);
    return {
      of: { entry, account, ofKey, demand: { name, scope, account, amount, onExhausted, warnAt: thresholds(entry) } },
      matches: globs.length === 0 ? () => true : model => globs.some(matches => matches(model)),
    };
  });
}

/** `key:team/prod|Monthly|Europe/Berlin|gpt-*`: another calendar or filter is another account, another amount or name is not. */
function accountOf({ period, timeZone, models }: BudgetEntry, ofKey: string | undefined, digest: DemandParts['digest']): string {
  const scope = ofKey === undefined ? 'tenant' : `key:${ofKey}`;
  const calendar = period === 'Total' ? period : `${period}|${timeZone}`;
  return `${scope}|${calendar}|${shortList(models.toSorted(), digest)}`;
}

/** As it is where it is short and plain, so that people can read it in the store. */
function shortList(models: readonly string[], digest: DemandParts['digest']): string {
  const list = models.join(',');
  const isPlain = list.length <= 48 && models.every(model => /^[\w.*/-]+$/.test(model));
  return isPlain ? list : `#${digest(JSON.stringify(models)).slice(0, 32)}`;
}

/** Percentages in nano-dollars, rounded up; the amount itself is always one. */
function thresholds({ amount, warnAtPercent }: BudgetEntry): readonly NanoUsd[] {
  const at = [...warnAtPercent, 100].map(percent => Number((BigInt(amount) * BigInt(percent) + 99n) / 100n));
  return [...new Set(at)]
    .filter(threshold => threshold > 0)
    .sort((a, b) => a - b)
    .map(nanoUsd);
}

const inPeriod = (demand: Budget['demand'], { start, end }: Span): BudgetDemand => ({
  ...demand,
  period: start,
  ...(end !== undefined && { resetAt: end }),
});

const NO_BUDGETS: readonly BudgetDemand[] = [];
const NEVER: Span = { start: epochMillis(0), end: epochMillis(0) };

function intersection(spans: readonly Span[]): Span {
  const end = Math.min(...spans.map(span => span.end ?? Number.POSITIVE_INFINITY));
  return { start: epochMillis(Math.max(0, ...spans.map(span => span.start))), end: epochMillis(end) };
}
