// A source of keys that somebody calls out, beside those that come from objects of the API server.
import type { KeySource } from './runtime/controller.ts';
import type { Priority } from './runtime/queue.ts';

export class Signal implements KeySource {
  readonly #synced: Promise<unknown>;
  /** Called out while nobody listened. */
  readonly #waiting = new Set<string>();
  readonly #listeners = new Set<(keys: Iterable<string>, priority: Priority) => void>();

  /** @param synced when whoever reconciles has what it needs */
  constructor(synced: Promise<unknown> = Promise.resolve()) {
    this.#synced = synced;
  }

  call(keys: Iterable<string>, priority: Priority = 'normal'): void {
    if (this.#listeners.size === 0) for (const key of keys) this.#waiting.add(key);
    for (const tell of this.#listeners) tell(keys, priority);
  }

  async synced(): Promise<void> {
    await this.#synced;
  }

  subscribe(tell: (keys: Iterable<string>, priority: Priority, afterMs: number) => void): () => void {
    const listener = (keys: Iterable<string>, priority: Priority) => tell(keys, priority, 0);
    this.#listeners.add(listener);
    listener([...this.#waiting], 'low');
    this.#waiting.clear();
    return () => this.#listeners.delete(listener);
  }
}
