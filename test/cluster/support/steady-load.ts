// Clients that ask at a fixed rate, however long answers take, so that a server that stands still is charged for what it holds up.
import { setTimeout as pause } from 'node:timers/promises';

export type Asked = {
  /** When it fell due; `performance.now`. */
  readonly at: number;
  /** From then to the whole answer. */
  readonly ms: number;
  /** Of HTTP; 0 where there was no answer. */
  readonly status: number;
};

export class SteadyLoad {
  readonly #ask: (index: number) => Promise<number>;
  readonly #asked: Asked[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #isOver = false;
  readonly #running: Promise<void>;

  /** @param ask resolves with the status */
  constructor(perSecond: number, ask: (index: number) => Promise<number>) {
    this.#ask = ask;
    this.#running = this.#run(1000 / perSecond);
  }

  get asked(): readonly Asked[] {
    return this.#asked;
  }

  /** Resolves with all that was asked, when all of it was answered. */
  async stop(): Promise<readonly Asked[]> {
    this.#isOver = true;
    await this.#running;
    await Promise.all(this.#underWay);
    return this.#asked;
  }

  async #run(everyMs: number): Promise<void> {
    const began = performance.now();
    for (let index = 0; !this.#isOver; index++) {
      const due = began + index * everyMs;
      const waitMs = due - performance.now();
      if (waitMs > 1) await pause(waitMs);
      const asking = this.#one(index, due).finally(() => this.#underWay.delete(asking));
      this.#underWay.add(asking);
    }
  }

  async #one(index: number, at: number): Promise<void> {
    const status = await this.#ask(index).catch(() => 0);
    this.#asked.push({ at, ms: performance.now() - at, status });
  }
}
