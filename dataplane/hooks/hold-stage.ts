// Holds a stream until all of it has gone through the hooks before.
import type { Failure } from '#core/failure.ts';
import type { Frame } from './frame.ts';
import type { Deny, Next, Stage } from './stage.ts';

/** Of frames, in the client's dialect: what is longer is not held. */
export const MAX_HELD_BYTES = 16 * 1024 * 1024;

export class HoldStage implements Stage {
  readonly isBehind = false;
  readonly #next: Next;
  readonly #deny: Deny;
  readonly #tooLarge: Failure;
  #held: Frame[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(next: Next, deny: Deny, tooLarge: Failure) {
    this.#next = next;
    this.#deny = deny;
    this.#tooLarge = tooLarge;
  }

  push(frame: Frame): void {
    if (this.#isOver) return;
    this.#held.push(frame);
    this.#bytes += frame.size;
    if (this.#bytes <= MAX_HELD_BYTES) return;
    this.cut();
    this.#deny(this.#tooLarge);
  }

  end(): void {
    if (this.#isOver) return;
    for (const frame of this.#held) this.#next.push(frame);
    this.#next.end();
  }

  cut(): void {
    this.#isOver = true;
    this.#held = [];
  }
}
