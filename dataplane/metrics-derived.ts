// Our metrics of traffic, tokens and money, summed up from the counts of metrics-usage.ts.
import { promptClasses, usageClasses } from '#core/chat/usage.ts';
import type { FailureClass } from '#core/failure.ts';
import { type Derived, Distribution, type MetricSpec, type Sample } from '#platform/metrics.ts';
import { usageMetrics as specs } from './metrics-table.ts';
import { type Identity, OTHERS, type Spreads, type UsageCell, type UsageTally } from './metrics-usage.ts';

/** Sums by label values. */
export class Sums {
  readonly #sums = new Map<string, { readonly values: readonly string[]; sum: number }>();

  add(values: readonly string[], amount: number): void {
    if (amount === 0) return;
    const name = values.join('\n');
    const known = this.#sums.get(name);
    if (known) known.sum += amount;
    else this.#sums.set(name, { values, sum: amount });
  }

  /** @param unit what is counted, as a part of what is shown */
  samples(unit = 1): Sample[] {
    return Array.from(this.#sums.values(), ({ values, sum }) => [values, sum / unit] as const);
  }
}

export const NANO = 1e9;

type Add = (values: readonly string[], amount: number) => void;

/** A metric that is a sum over all cells. */
export const summed = (
  tally: UsageTally,
  spec: MetricSpec,
  count: (cell: UsageCell, add: Add) => void,
  unit?: number,
): Derived => ({
  spec,
  samples() {
    const sums = new Sums();
    const add: Add = (values, amount) => sums.add(values, amount);
    for (const cell of tally.cells) count(cell, add);
    return sums.samples(unit);
  },
});

/** A histogram; distributions whose labels are the same become one. */
export const spreadOut = (
  tally: UsageTally,
  spec: MetricSpec,
  part: (spreads: Spreads) => Distribution,
  values: (of: Identity) => readonly string[],
): Derived => ({
  spec,
  samples() {
    const all = new Map<string, { readonly values: readonly string[]; readonly sum: Distribution }>();
    for (const spreads of tally.spreads) {
      const one = part(spreads);
      if (one.counts.every(count => count === 0)) continue;
      const labels = values(spreads.of);
      const name = labels.join('\n');
      const known = all.get(name);
      if (known) known.sum.add(one);
      else {
        const sum = new Distribution(one.bounds);
        sum.add(one);
        all.set(name, { values: labels, sum });
      }
    }
    return Array.from(all.values(), ({ values, sum }) => [values, sum] as const);
  },
});

export function* endedRequests({
  ended,
}: UsageCell): Generator<readonly [failure: FailureClass | undefined, status: number, count: number]> {
  for (const [failure, statuses] of ended) for (const [status, count] of statuses) yield [failure, status, count];
}

export function usedTokens({ tokens }: UsageCell): { readonly input: number; readonly output: number } {
  let input = 0;
  for (const name of promptClasses) input += tokens[usageClasses.indexOf(name)]!;
  return { input, output: tokens[usageClasses.indexOf('output')]! };
}

const isRequest = ({ of }: UsageCell): boolean => of.tenant !== '';

/** @param now monotonic */
export function ownDerived(tally: UsageTally, now: () => number): readonly Derived[] {
  const sum = (spec: MetricSpec, count: (cell: UsageCell, add: Add) => void, unit?: number) => summed(tally, spec, count, unit);
  const byRoute = ({ route, dialect }: Identity) => [route, dialect];
  return [
    sum(specs.requests, (cell, add) => {
      for (const [, status, count] of endedRequests(cell)) add([cell.of.route, cell.of.dialect, String(status)], count);
    }),
    spreadOut(tally, specs.duration, s => s.request, byRoute),
    spreadOut(tally, specs.firstToken, s => s.firstToken, byRoute),
    spreadOut(tally, specs.overhead, s => s.overhead, byRoute),
    sum(specs.attempts, ({ of, outcomes }, add) => {
      for (const [failure = 'ok', count] of outcomes) add([of.provider, of.model, failure], count);
    }),
    spreadOut(
      tally,
      specs.attemptDuration,
      s => s.attempt,
      ({ provider, model }) => [provider, model],
    ),
    sum(specs.fallbacks, ({ of, fallbackAttempts }, add) => add([of.route, of.provider], fallbackAttempts)),
    sum(specs.tokens, ({ of, tokens }, add) => {
      for (const [i, kind] of usageClasses.entries()) add([of.provider, of.model, kind], tokens[i]!);
    }),
    sum(specs.cost, ({ of, cost }, add) => add([of.provider, of.model], cost), NANO),
    sum(specs.fallbackCost, ({ of, fallbackCost }, add) => add([of.route], fallbackCost), NANO),
    sum(specs.unpriced, ({ of, unpriced }, add) => add([of.provider, of.model], unpriced)),
    sum(specs.truncated, ({ of, truncated }, add) => add([of.provider, of.model], truncated)),
    sum(specs.cacheSaved, ({ of, cacheSaved }, add) => add([of.route], cacheSaved), NANO),
    sum(specs.tenantRequests, (cell, add) => {
      const { tenant, model } = cell.of;
      if (isRequest(cell)) for (const [, status, count] of endedRequests(cell)) add([tenant, model, String(status)], count);
    }),
    sum(specs.tenantTokens, (cell, add) => {
      const { input, output } = usedTokens(cell);
      add([cell.of.tenant, cell.of.model, 'input'], input);
      add([cell.of.tenant, cell.of.model, 'output'], output);
    }),
    sum(specs.tenantCost, ({ of, cost }, add) => add([of.tenant, of.model], cost), NANO),
    sum(specs.keyRequests, (cell, add) => {
      const { tenant, key } = cell.of;
      if (isRequest(cell)) for (const [, status, count] of endedRequests(cell)) add([tenant, key, String(status)], count);
    }),
    sum(specs.keyCost, ({ of, cost }, add) => add([of.tenant, of.key], cost), NANO),
    { spec: specs.limitRemaining, samples: () => limitsOf(tally, now(), 'remaining') },
    { spec: specs.limitMax, samples: () => limitsOf(tally, now(), 'max') },
  ];
}

/** Over which limits count. */
const WINDOW_MS = 60_000;

function limitsOf(tally: UsageTally, now: number, figure: 'remaining' | 'max'): Sample[] {
  return [...keyLimits(tally, now)].map(({ of, kind, ...limit }) => [[of.tenant, of.key, kind], limit[figure]] as const);
}

export type KeyLimit = {
  readonly of: Identity;
  readonly kind: 'requests' | 'tokens';
  readonly max: number;
  readonly remaining: number;
};

/** Of each key and kind the limit with the least left, as its last request left it. */
export function* keyLimits(tally: UsageTally, now: number): Generator<KeyLimit> {
  const newest = new Map<string, UsageCell>();
  for (const cell of tally.cells) {
    const { tenant, keyId } = cell.of;
    const known = newest.get(`${tenant} ${keyId}`);
    // What keys beyond the bound have left is not what one key has left.
    if (keyId !== OTHERS && cell.limits.length > 0 && (!known || known.limitsAt < cell.limitsAt))
      newest.set(`${tenant} ${keyId}`, cell);
  }
  for (const { of, limits, limitsAt } of newest.values()) {
    const isOver = now - limitsAt >= WINDOW_MS;
    for (const kind of ['requests', 'tokens'] as const) {
      const [tightest] = limits.filter(limit => limit.kind === kind).sort((a, b) => a.remaining - b.remaining);
      if (tightest) yield { of, kind, max: tightest.max, remaining: isOver ? tightest.max : Math.max(0, tightest.remaining) };
    }
  }
}
