// Placeholders for what must not be seen: the same for the same, in all of a request and its answer, and what stood in their place.
import type { Wanted } from './finder.ts';
import { kinds, type SensitiveKind } from './kinds.ts';
import { charSet, endOfRun, type Match, MORE, NO } from './matcher.ts';

/** What is looked for by kind. */
export const wantedOf = (wanted: readonly SensitiveKind[]): readonly Wanted<SensitiveKind>[] =>
  wanted.flatMap(kind => kinds[kind].detectors.map(detector => ({ kind, detector })));

const NAME = charSet('A-Z0-9_');
const MAX_NAME = 32;

export class Masks {
  readonly #placeholders = new Map<string, string>();
  /** Of those that come back. */
  readonly #values = new Map<string, string>();
  readonly #counts = new Map<SensitiveKind, number>();

  /**
   * Such as `[EMAIL_1]`.
   *
   * @param comesBack the value stands in its place again in the answer
   */
  placeholderOf(kind: SensitiveKind, value: string, comesBack: boolean): string {
    const placeholder = this.#placeholders.get(value) ?? this.#next(kind);
    this.#placeholders.set(value, placeholder);
    if (comesBack) this.#values.set(placeholder, value);
    return placeholder;
  }

  #next(kind: SensitiveKind): string {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `[${kinds[kind].placeholder}_${count}]`;
  }

  /** Of one that comes back. */
  valueOf(placeholder: string): string | undefined {
    return this.#values.get(placeholder);
  }

  get anyComesBack(): boolean {
    return this.#values.size > 0;
  }

  /** Finds those that come back. */
  readonly wanted: Wanted<'placeholder'> = {
    kind: 'placeholder',
    detector: { begins: charSet('\\['), match: (...place) => this.#match(...place) },
  };

  #match(...[text, at, isWhole]: Parameters<Match>): number {
    const end = endOfRun(NAME, text, at + 1, MAX_NAME);
    if (end === text.length) return isWhole ? NO : MORE;
    return text[end] === ']' && this.#values.has(text.slice(at, end + 1)) ? end + 1 : NO;
  }
}
