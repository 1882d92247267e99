// Finds what detectors look for in a text that comes in pieces: the same as in the whole text, wherever it is cut. What a detector cannot
// decide yet waits for more; that is a word as a rule, and never more than the longest thing that is looked for.
import { folded } from './fold.ts';
import { type Detector, isIn, LOOK_BEHIND, MORE, mayBeEscape, mayBegin, NO } from './matcher.ts';

/** Offsets into the whole text. */
export type Found<K> = { readonly kind: K; readonly start: number; readonly end: number; readonly text: string };

export type Wanted<K> = { readonly kind: K; readonly detector: Detector };

export class Finder<K> {
  readonly #wanted: readonly Wanted<K>[];
  /** From `#offset` of the whole text on, as detectors read it. */
  #text = '';
  /** As it was written. */
  #written = '';
  #offset = 0;
  /** Up to here, in `#text`, it is decided. */
  #at = 0;

  /** @param wanted where two find something at one place, the first counts */
  constructor(wanted: readonly Wanted<K>[]) {
    this.#wanted = wanted;
  }

  /** Up to here nothing can be found any more that has not been. */
  get decided(): number {
    return this.#offset + this.#at;
  }

  push(piece: string): readonly Found<K>[] {
    const behind = Math.max(0, this.#at - LOOK_BEHIND);
    this.#text = this.#text.slice(behind) + folded(piece);
    this.#written = this.#written.slice(behind) + piece;
    this.#offset += behind;
    this.#at -= behind;
    return this.#find(false);
  }

  /** Nothing comes after it. */
  end(): readonly Found<K>[] {
    return this.#find(true);
  }

  #find(isWhole: boolean): readonly Found<K>[] {
    const found: Found<K>[] = [];
    const text = this.#text;
    for (;;) {
      while (this.#at < text.length && !mayBegin(text, this.#at)) this.#at++;
      if (this.#at === text.length || (!isWhole && mayBeEscape(text, this.#at))) break;
      const match = this.#matchAt(isWhole);
      if (match === MORE) break;
      if (match === NO) this.#at++;
      else {
        found.push(match);
        this.#at = match.end - this.#offset;
      }
    }
    return found;
  }

  #matchAt(isWhole: boolean): Found<K> | typeof NO | typeof MORE {
    const [text, at] = [this.#text, this.#at];
    for (const { kind, detector } of this.#wanted) {
      if (!isIn(detector.begins, text, at)) continue;
      const end = detector.match(text, at, isWhole);
      if (end === MORE) return MORE;
      if (end !== NO) return { kind, start: this.#offset + at, end: this.#offset + end, text: this.#written.slice(at, end) };
    }
    return NO;
  }
}

export function findAll<K>(text: string, wanted: readonly Wanted<K>[]): readonly Found<K>[] {
  const finder = new Finder(wanted);
  return [...finder.push(text), ...finder.end()];
}

/** The text with something else where it was found. */
export function replaced<K>(text: string, matches: readonly Found<K>[], by: (match: Found<K>) => string): string {
  let out = '';
  let from = 0;
  for (const match of matches) {
    out += text.slice(from, match.start) + by(match);
    from = match.end;
  }
  return out + text.slice(from);
}
