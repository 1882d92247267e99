// The work queue of a controller, as client-go has it, without a clock of its own. A key is in it once, however often it is added; a
// key that is being worked on is given out again only after that is done, so that no two workers ever hold the same one.
import { type Backoff, backoffMs } from '#platform/kube/backoff.ts';

export type Priority =
  | 'normal'
  /** After everything normal: what the first list of a source brings, so that a change made meanwhile does not wait behind it. */
  | 'low';

export type QueueOptions = {
  /** Of one key that fails again and again. */
  readonly backoff: Backoff;
  /** In [0, 1). */
  readonly random: () => number;
};

export type Taken = { readonly key: string; readonly waitedMs: number };

/** client-go's, but for the upper bound: what depends on others' repairs is seen to within five minutes. */
export const itemBackoff: Backoff = { baseMs: 5, maxMs: 300_000 };

/** Times are milliseconds of any clock that does not go back. */
export class WorkQueue {
  readonly #options: QueueOptions;
  /** Waiting for a worker, with when it came. */
  readonly #ready = new Map<string, { readonly since: number; priority: Priority }>();
  readonly #lines: Readonly<Record<Priority, Line>> = { normal: new Line(), low: new Line() };
  readonly #processing = new Set<string>();
  /** Added while it was being worked on: once more when that is done. */
  readonly #again = new Map<string, { readonly since: number; priority: Priority }>();
  readonly #later = new Agenda();
  readonly #failures = new Map<string, number>();
  #isShut = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  add(key: string, now: number, priority: Priority = 'normal'): void {
    if (this.#isShut) return;
    const target = this.#processing.has(key) ? this.#again : this.#ready;
    const there = target.get(key);
    if (!there) target.set(key, { since: now, priority });
    else if (there.priority === 'low' && priority === 'normal') there.priority = priority;
    else return;
    if (target === this.#ready) this.#lines[priority].push(key);
  }

  /** Of several times for one key the earliest holds. */
  addAt(key: string, at: number): void {
    if (!this.#isShut) this.#later.put(key, at);
  }

  /** After a failure: again after a wait that doubles with each failure in a row, and is at least `leastMs`. */
  addAfterFailure(key: string, now: number, leastMs = 0): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.addAt(key, now + Math.max(leastMs, backoffMs(failures, this.#options.backoff, this.#options.random())));
  }

  /** Its failures so far no longer count. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key for a worker; it is that worker's until `done`. */
  take(now: number): Taken | undefined {
    for (const key of this.#later.due(now)) this.add(key, now);
    const key = this.#next('normal') ?? this.#next('low');
    if (key === undefined) return undefined;
    const { since } = this.#ready.get(key)!;
    this.#ready.delete(key);
    this.#processing.add(key);
    return { key, waitedMs: now - since };
  }

  done(key: string): void {
    this.#processing.delete(key);
    const again = this.#again.get(key);
    if (!again) return;
    this.#again.delete(key);
    this.#ready.set(key, again);
    this.#lines[again.priority].push(key);
  }

  /** When `take` may have something it has not now, if nobody adds anything; undefined: never. */
  get nextAt(): number | undefined {
    return this.#later.earliest;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#ready.size;
  }

  get isDrained(): boolean {
    return this.#processing.size === 0 && this.#ready.size === 0;
  }

  /** Nothing new comes in, and what waits is dropped; what is being worked on is waited for by whoever asks `isDrained`. */
  shutDown(): void {
    this.#isShut = true;
    this.#ready.clear();
    this.#again.clear();
    this.#later.clear();
  }

  #next(priority: Priority): string | undefined {
    const line = this.#lines[priority];
    // A key that rose to the other line, or was taken from it, is still in this one.
    for (let key = line.shift(); key !== undefined; key = line.shift())
      if (this.#ready.get(key)?.priority === priority) return key;
    return undefined;
  }
}

/** First in, first out. */
class Line {
  #items: string[] = [];
  #head = 0;

  push(item: string): void {
    this.#items.push(item);
  }

  shift(): string | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head++]!;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

type Entry = { readonly key: string; readonly at: number };

/** Keys by time: a binary heap. An entry whose key has an earlier one by now stays in it and is passed over. */
class Agenda {
  readonly #heap: Entry[] = [];
  readonly #times = new Map<string, number>();

  put(key: string, at: number): void {
    const before = this.#times.get(key);
    if (before !== undefined && before <= at) return;
    this.#times.set(key, at);
    this.#rise(this.#heap.push({ key, at }) - 1);
  }

  *due(now: number): Generator<string> {
    for (let first = this.#first(); first && first.at <= now; first = this.#first()) {
      this.#removeFirst();
      this.#times.delete(first.key);
      yield first.key;
    }
  }

  get earliest(): number | undefined {
    return this.#first()?.at;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#times.clear();
  }

  #first(): Entry | undefined {
    while (this.#heap[0] && this.#times.get(this.#heap[0].key) !== this.#heap[0].at) this.#removeFirst();
    return this.#heap[0];
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.at <= heap[at]!.at) return;
      swap(heap, at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left;
      if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right;
      if (least === at) return;
      swap(heap, at, least);
      at = least;
    }
  }
}

function swap(heap: Entry[], one: number, other: number): void {
  const kept = heap[one]!;
  heap[one] = heap[other]!;
  heap[other] = kept;
}
