// A mean that follows: the first values count alike, then each new one for a twentieth.

const SHARE_OF_NEWEST = 1 / 20;

export class MovingMean {
  #count = 0;
  #value = 0;

  add(value: number): void {
    this.#count++;
    this.#value += (value - this.#value) * Math.max(1 / this.#count, SHARE_OF_NEWEST);
  }

  /** undefined: nothing was added. */
  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#value;
  }
}
