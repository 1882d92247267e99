// Lets changes gather: one is taken up a moment later, and of a burst that goes on a few are taken up together, every now and then.

export type CoalesceTiming = {
  /** Without another change for this long, it is time. */
  readonly quietMs: number;
  /** Time it is in any case this long after the first. */
  readonly mostMs: number;
};

/** 2,000 keys in one go are two or three compilations, and one change is served after a twentieth of a second and a little. */
export const usualPace: CoalesceTiming = { quietMs: 50, mostMs: 2_000 };

export class Coalesce {
  readonly #act: () => void;
  readonly #timing: CoalesceTiming;
  #timer: NodeJS.Timeout | undefined;
  #since = 0;

  constructor(act: () => void, timing: CoalesceTiming = usualPace) {
    this.#act = act;
    this.#timing = timing;
  }

  /** @param now monotonic */
  touch(now: number): void {
    const { quietMs, mostMs } = this.#timing;
    if (this.#timer === undefined) this.#since = now;
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(quietMs, this.#since + mostMs - now));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#act();
    }, wait);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
