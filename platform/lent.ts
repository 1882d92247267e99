// What somebody lends for a while: a token, keys. Kept until it ends, and asked for anew before that, by one asker for all.

/** `endsAt` in milliseconds since 1970. Absent: it does not end. */
export type Loan<T> = { readonly value: T; readonly endsAt?: number | undefined };

/** So long before its end a new one is asked for, while the old one still serves. */
const EARLY_MS = 4 * 60_000;
/** Between two askings that bring nothing newer, or nothing at all, while the old one still serves. */
const PAUSE_MS = 10_000;

export type LentOptions<T> = {
  /** Called again where it did not answer in time: it must not wait for what it asked before. */
  ask(): Promise<Loan<T>>;
  /** Who lends may be dead: how long anyone waits, in milliseconds. */
  readonly patience: number;
  /** Milliseconds since 1970. */
  now(): number;
};

export class Lent<T> {
  readonly #options: LentOptions<T>;
  #loan: Loan<T> | undefined;
  #askAfter = 0;
  #asked: Promise<T> | undefined;

  constructor(options: LentOptions<T>) {
    this.#options = options;
  }

  /** Rejects where nobody lends, or not in time, and the old one has ended. */
  async get(): Promise<T> {
    const now = this.#options.now();
    const loan = this.#loan;
    if (!loan || (loan.endsAt ?? Number.POSITIVE_INFINITY) <= now) return this.#anew();
    if (loan.endsAt !== undefined && now >= Math.max(loan.endsAt - EARLY_MS, this.#askAfter)) {
      this.#askAfter = now + PAUSE_MS;
      this.#anew().catch(() => undefined);
    }
    return loan.value;
  }

  #anew(): Promise<T> {
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = undefined;
    });
    return this.#asked;
  }

  async #ask(): Promise<T> {
    this.#loan = await within(this.#options.ask(), this.#options.patience);
    return this.#loan.value;
  }
}

async function within<T>(answer: Promise<T>, patience: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${patience / 1000} seconds`)), patience);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
