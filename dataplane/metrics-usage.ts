// What requests and attempts add up to, by who asked and who answered: plain numbers that a request finds by six names, once for itself and
// once for each attempt. Every metric of traffic, tokens and money is a sum of them, made when somebody scrapes.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { AnyDialect, Operation } from '#core/chat/dialect.ts';
import { promptTokens, usageClasses } from '#core/chat/usage.ts';
import type { FailureClass } from '#core/failure.ts';
import { Distribution } from '#platform/metrics.ts';
import type { RemainingLimit } from './head.ts';

/** Whose request, and where to. Empty: none, as it was refused before anybody knew. */
export type Identity = {
  /** First hex digits of the key's digest. */
  readonly keyId: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly keyAlias: string;
  readonly tenant: string;
  readonly route: string;
  readonly dialect: AnyDialect;
  readonly operation: Operation;
  readonly provider: string;
  readonly model: string;
};

/** Bounds of all times, in seconds: those of every histogram that is made of them. */
const SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.00625, 0.01, 0.0125, 0.02, 0.025, 0.04, 0.05, 0.08, 0.1, 0.16, 0.25, 0.32, 0.5, 0.64, 1, 1.28,
  1.5, 2, 2.5, 2.56, 3, 3.5, 4, 4.5, 5, 5.12, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 10.24, 15, 20, 20.48, 25, 30, 40.96, 60,
  81.92, 120, 180, 240, 300, 600,
];
/** Of the time of one token: a tenth of a millisecond to seconds. */
const TOKEN_SECONDS: readonly number[] = [
  0.005, 0.00625, 0.01, 0.0125, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
];
const TOKENS: readonly number[] = Array.from({ length: 14 }, (_, i) => 4 ** i);

/** How long things took, and how many tokens: what keys of a tenant have together. */
export class Spreads {
  /** Whichever of its keys. */
  readonly of: Identity;
  readonly request = new Distribution(SECONDS);
  /** Of the request. */
  readonly firstToken = new Distribution(SECONDS);
  readonly overhead = new Distribution(SECONDS);
  /** Attempts that went well, those that did not, and the first token of streams. */
  readonly attempt = new Distribution(SECONDS);
  readonly failedAttempt = new Distribution(SECONDS);
  readonly attemptFirstToken = new Distribution(SECONDS);
  readonly perOutputToken = new Distribution(TOKEN_SECONDS);
  readonly inputTokens = new Distribution(TOKENS);
  readonly outputTokens = new Distribution(TOKENS);

  constructor(of: Identity) {
    this.of = of;
  }
}

export class UsageCell {
  readonly of: Identity;
  readonly spreads: Spreads;
  /** Requests that are over, by their failure and status. */
  readonly ended = new Map<FailureClass | undefined, Map<number, number>>();
  /** Requests that were answered, or not, after they had gone on to another backend. */
  fellBackWell = 0;
  fellBackBadly = 0;
  cacheMisses = 0;
  /** Attempts, by what came of them. */
  readonly outcomes = new Map<FailureClass | undefined, number>();
  fallbackAttempts = 0;
  /** Parallel to `usageClasses`. */
  readonly tokens = new Float64Array(usageClasses.length);
  /** Nano-dollars. */
  cost = 0;
  fallbackCost = 0;
  unpriced = 0;
  truncated = 0;
  cacheHits = 0;
  /** Nano-dollars. */
  cacheSaved = 0;
  /** What the last request left of the key's limits, and when that was, monotonic. */
  limits: readonly RemainingLimit[] = [];
  limitsAt = 0;

  constructor(of: Identity, spreads: Spreads) {
    this.of = of;
    this.spreads = spreads;
  }

  requestEnded(failure: FailureClass | undefined, status: number): void {
    const statuses = this.ended.get(failure) ?? new Map<number, number>();
    if (statuses.size === 0) this.ended.set(failure, statuses);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }

  /** An attempt that is over. */
  attempted(row: CostRecord): void {
    const { usage, cost, failure, fallbackPosition, firstToken, streamed } = row;
    this.outcomes.set(failure, (this.outcomes.get(failure) ?? 0) + 1);
    this.#timed(row);
    let used = 0;
    for (let i = 0; i < usageClasses.length; i++) {
      const tokens = usage[usageClasses[i]!];
      this.tokens[i]! += tokens;
      used += tokens;
    }
    if (cost !== null) this.cost += cost;
    if (row.partlyPriced || (cost === null && used > 0)) this.unpriced++;
    if (fallbackPosition > 0) {
      this.fallbackAttempts++;
      this.fallbackCost += cost ?? 0;
    }
    if (streamed && failure && firstToken !== undefined && failure !== 'client_closed') this.truncated++;
  }

  #timed({ failure, duration, streamed, firstToken, usage }: CostRecord): void {
    const { spreads } = this;
    (failure ? spreads.failedAttempt : spreads.attempt).observe(duration / 1000);
    if (streamed && firstToken !== undefined) {
      spreads.attemptFirstToken.observe(firstToken / 1000);
      if (usage.output > 1) spreads.perOutputToken.observe((duration - firstToken) / 1000 / (usage.output - 1));
    }
    if (usage.output === 0 && usage.inputUncached === 0 && usage.cacheRead === 0) return;
    spreads.inputTokens.observe(promptTokens(usage));
    spreads.outputTokens.observe(usage.output);
  }
}

/** What stands for names beyond the bounds. */
export const OTHERS = 'other';

export type UsageBounds = {
  /** So many cells have a key; twice as many a tenant. */
  readonly keyed: number;
  readonly spreads: number;
};

const BOUNDS: UsageBounds = { keyed: 1_000, spreads: 200 };

type Names = readonly [tenant: string, keyId: string, route: string, provider: string, model: string, dialect: AnyDialect];
type Branch = Map<string, Branch | UsageCell>;

export class UsageTally {
  readonly #root: Branch = new Map();
  readonly #cells: UsageCell[] = [];
  readonly #spreads = new Map<string, Spreads>();
  readonly #bounds: UsageBounds;

  constructor(bounds = BOUNDS) {
    this.#bounds = bounds;
  }

  get cells(): readonly UsageCell[] {
    return this.#cells;
  }

  get spreads(): Iterable<Spreads> {
    return this.#spreads.values();
  }

  /** @param identity asked for where there is no cell yet */
  at(names: Names, identity: () => Identity): UsageCell {
    return this.#find(names) ?? this.#bounded(identity());
  }

  #find(names: Names): UsageCell | undefined {
    let found: Branch | UsageCell | undefined = this.#root;
    for (const name of names) {
      found = (found as Branch).get(name);
      if (found === undefined) return undefined;
    }
    return found as UsageCell;
  }

  #bounded(identity: Identity): UsageCell {
    const { keyed } = this.#bounds;
    const tenant = this.#cells.length < 2 * keyed ? identity.tenant : OTHERS;
    const of = this.#cells.length < keyed ? identity : { ...identity, tenant, keyId: OTHERS, key: OTHERS, keyAlias: OTHERS };
    return this.#find(namesOf(of)) ?? this.#plant(of);
  }

  #plant(of: Identity): UsageCell {
    const cell = new UsageCell(of, this.#spreadsOf(of));
    const names = namesOf(of);
    let branch = this.#root;
    for (const name of names.slice(0, -1)) {
      const next = (branch.get(name) as Branch | undefined) ?? new Map();
      branch.set(name, next);
      branch = next;
    }
    branch.set(of.dialect, cell);
    this.#cells.push(cell);
    return cell;
  }

  #spreadsOf(of: Identity): Spreads {
    const name = spreadsName(of);
    if (this.#spreads.size >= this.#bounds.spreads && !this.#spreads.has(name) && of.tenant !== OTHERS)
      return this.#spreadsOf({ ...of, tenant: OTHERS });
    const spreads = this.#spreads.get(name) ?? new Spreads(of);
    this.#spreads.set(name, spreads);
    return spreads;
  }
}

const spreadsName = ({ tenant, route, dialect, provider, model }: Identity): string =>
  [tenant, route, dialect, provider, model].join('\n');

const namesOf = ({ tenant, keyId, route, provider, model, dialect }: Identity): Names => [
  tenant,
  keyId,
  route,
  provider,
  model,
  dialect,
];
