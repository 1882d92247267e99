// Places for questions to hooks that nobody waits for: bounded, and one hook that never answers leaves places to the others.
import type { HookPlaces } from '../ports.ts';

const MAX = 256;
const MAX_OF_ONE = 64;

export class ObserverPlaces implements HookPlaces {
  readonly #taken = new Map<string, number>();
  #all = 0;

  take(hook: string): boolean {
    const taken = this.#taken.get(hook) ?? 0;
    if (this.#all === MAX || taken === MAX_OF_ONE) return false;
    this.#taken.set(hook, taken + 1);
    this.#all++;
    return true;
  }

  free(hook: string): void {
    const left = this.#taken.get(hook)! - 1;
    if (left === 0) this.#taken.delete(hook);
    else this.#taken.set(hook, left);
    this.#all--;
  }
}
