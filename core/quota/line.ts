// Who waits, in the order to be let in: higher priority first, then whoever came first.

export type Waiting = {
  readonly priority: number;
};

export class Line<T extends Waiting> {
  #items: T[] = [];

  get length(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]();
  }

  /** Behind all of its priority. */
  join(item: T): void {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle]!.priority >= item.priority) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, item);
  }

  leave(item: T): void {
    const at = this.#items.indexOf(item);
    if (at >= 0) this.#items.splice(at, 1);
  }

  shift(): T | undefined {
    return this.#items.shift();
  }

  /** Those who have no place among the first `places`, last first: whom a bound turns away. */
  beyond(places: number): readonly T[] {
    return this.#items.slice(places).reverse();
  }
}
