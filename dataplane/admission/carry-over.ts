// Requests that passed by a fail mode are unknown to the counters until they end. Once the counters answer again, what those requests
// hold is reserved there after all, whatever the limits and budgets say: so that nobody else is promised the same money.
import type { Demand } from '#core/admission/demand.ts';
import type { Counters } from '../counters/counters.ts';

/** Beyond this a request counts when it ends. */
const MAX_OPEN = 10_000;
/** Sent together. */
const BATCH = 200;

type Open = { readonly demand: Demand; isAsked: boolean };

export class CarryOver {
  readonly #counters: Pick<Counters, 'reserve'>;
  readonly #open = new Map<string, Open>();

  constructor(counters: Pick<Counters, 'reserve'>) {
    this.#counters = counters;
  }

  add(demand: Demand): void {
    if (this.#open.size < MAX_OPEN) this.#open.set(demand.id, { demand: unrefusable(demand), isAsked: false });
  }

  ended(id: string): void {
    this.#open.delete(id);
  }

  /** The counters have just answered. */
  now(): void {
    if (this.#open.size === 0) return;
    const waiting = this.#open.values().filter(({ isAsked }) => !isAsked);
    for (const open of waiting.take(BATCH)) void this.#carry(open);
  }

  async #carry(open: Open): Promise<void> {
    open.isAsked = true;
    const answer = await this.#counters.reserve(open.demand).catch(() => undefined);
    if (answer?.kind === 'granted') this.#open.delete(open.demand.id);
    else open.isAsked = false;
  }
}

const unrefusable = (demand: Demand): Demand => ({
  ...demand,
  limits: demand.limits.map(limit => ({ ...limit, max: Number.MAX_SAFE_INTEGER })),
  budgets: demand.budgets.map(budget => ({ ...budget, onExhausted: 'Warn' })),
});
