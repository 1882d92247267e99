// Lets changes gather: a few are taken up a moment later, and of a crowd that goes on coming many are taken up together.

export type CoalesceTiming = {
  /** Without another change for this long, it is time. */
  readonly quietMs: number;
  /** Time it is in any case this long after the first. */
  readonly mostMs: number;
};

export type Pace = {
  readonly few: CoalesceTiming;
  /** From this many changes within one gathering they are a crowd. */
  readonly crowd: number;
  readonly many: CoalesceTiming;
  /** As long as one crowd follows another, `mostMs` grows by half each time, up to this. */
  readonly longestMs: number;
};

/** Two thousand keys in six seconds are two compilations; ten thousand in half a minute are six. */
const usualPace: Pace = {
  few: { quietMs: 50, mostMs: 250 },
  crowd: 10,
  many: { quietMs: 500, mostMs: 4_000 },
  longestMs: 6_000,
};

export class Coalesce {
  readonly #act: (since: number) => void;
  readonly #pace: Pace;
  #timer: NodeJS.Timeout | undefined;
  #since = 0;
  #count = 0;
  #isUrgent = false;
  /** Crowds that followed each other until now. */
  #crowds = 0;

  /** @param act is told when the first of the changes came */
  constructor(act: (since: number) => void, pace: Pace = usualPace) {
    this.#act = act;
    this.#pace = pace;
  }

  /**
   * @param now monotonic
   * @param isUrgent it waits for no crowd
   */
  touch(now: number, isUrgent = false): void {
    if (this.#timer === undefined) this.#since = now;
    clearTimeout(this.#timer);
    this.#count++;
    this.#isUrgent ||= isUrgent;
    const { quietMs, mostMs } = this.#timing();
    this.#timer = setTimeout(() => this.#due(), Math.max(0, Math.min(quietMs, this.#since + mostMs - now)));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #timing(): CoalesceTiming {
    const { few, crowd, many, longestMs } = this.#pace;
    if (this.#isUrgent || this.#count < crowd) return few;
    return { quietMs: many.quietMs, mostMs: Math.min(longestMs, many.mostMs * 1.5 ** this.#crowds) };
  }

  #due(): void {
    this.#timer = undefined;
    this.#crowds = this.#count < this.#pace.crowd ? 0 : this.#crowds + 1;
    this.#count = 0;
    this.#isUrgent = false;
    this.#act(this.#since);
  }
}
