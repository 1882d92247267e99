// Places in a text, in the units in which wires count them: code points (OpenAI) or bytes of UTF-8 (Google); inside, UTF-16 units. Fed piece
// by piece; keeps where the width of characters changes, not the text.

type Unit = 'code-points' | 'bytes';

/** From `at` on, each UTF-16 unit has this width; `total` is the width of all before it. */
type Run = { readonly at: number; readonly total: number; readonly width: number };

/** Of most texts, and the first of all. */
const plain: readonly Run[] = [{ at: 0, total: 0, width: 1 }];

/** A text that changes more often than that, every other character, has no places that could be told. */
const RUNS_MAX = 65_536;

export class Measure {
  readonly #widthOf: (code: number) => number;
  #runs: readonly Run[] = plain;
  #length = 0;

  constructor(unit: Unit) {
    this.#widthOf = unit === 'bytes' ? bytesOf : pointsOf;
  }

  /** In UTF-16 units. */
  get length(): number {
    return this.#length;
  }

  add(text: string): void {
    let { width } = this.#runs.at(-1)!;
    for (let i = 0; i < text.length && this.#runs.length < RUNS_MAX; i++) {
      const next = this.#widthOf(text.charCodeAt(i));
      if (next === width) continue;
      const at = this.#length + i;
      const run = { at, total: this.#until(at), width: next };
      if (this.#runs === plain) this.#runs = [...plain, run];
      else (this.#runs as Run[]).push(run);
      width = next;
    }
    this.#length += text.length;
  }

  /** What is before a place. undefined: it is outside of the text. */
  before(at: number): number | undefined {
    return this.#isLost || at < 0 || at > this.#length ? undefined : this.#until(at);
  }

  /** The reverse: the place that has so much before it; within a character, where that begins. */
  placeOf(total: number): number | undefined {
    if (this.#isLost || total < 0 || total > this.#until(this.#length)) return undefined;
    const run = this.#last(({ total: before }) => before <= total);
    return run.width === 0 ? this.#length : run.at + Math.floor((total - run.total) / run.width);
  }

  get #isLost(): boolean {
    return this.#runs.length >= RUNS_MAX;
  }

  #until(at: number): number {
    const run = this.#last(({ at: start }) => start <= at);
    return run.total + (at - run.at) * run.width;
  }

  /** The first holds for every place. */
  #last(holds: (run: Run) => boolean): Run {
    let [low, high] = [0, this.#runs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (holds(this.#runs[middle]!)) low = middle;
      else high = middle - 1;
    }
    return this.#runs[low]!;
  }
}

/** The second half of a pair counts for nothing: the first has counted for both. */
const isSecondHalf = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;
const pointsOf = (code: number): number => (isSecondHalf(code) ? 0 : 1);

function bytesOf(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  if (code < 0xd800 || code > 0xdfff) return 3;
  return isSecondHalf(code) ? 0 : 4;
}
