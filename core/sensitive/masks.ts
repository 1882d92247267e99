// Placeholders for what must not be seen: the same for the same, in all of a request and its answer, and what stood in their place.
import type { Wanted } from './finder.ts';
import { kinds, type SensitiveKind } from './kinds.ts';
import { charSet, endOfRun, type Match, MORE, NO } from './matcher.ts';

/** What is looked for by kind. */
export const wantedOf = (wanted: readonly SensitiveKind[]): readonly Wanted<SensitiveKind>[] =>
  wanted.flatMap(kind => kinds[kind].detectors.map(detector => ({ kind, detector })));

const NAME = charSet('A-Z0-9_');
const MAX_NAME = 32;

/** What placeholders must be told from. */
export type Beside = {
  /** The request: one that stands in it already is nobody's value. */
  readonly asked?: () => string;
  /** Capitals and digits, for a request that goes on with others: their placeholders are of other values. */
  readonly tag?: string;
};

/** Any that might stand in a text. */
const PLACEHOLDERS = /\[[A-Z_]{2,16}_\d{1,9}\]/g;

export class Masks {
  readonly #beside: Beside;
  #taken: ReadonlySet<string> | undefined;
  readonly #placeholders = new Map<string, string>();
  /** Of those that come back. */
  readonly #values = new Map<string, string>();
  readonly #counts = new Map<SensitiveKind, number>();

  constructor(beside: Beside = {}) {
    this.#beside = beside;
  }

  /**
   * Such as `[EMAIL_1]`.
   *
   * @param comesBack the value stands in its place again in the answer
   */
  placeholderOf(kind: SensitiveKind, value: string, comesBack: boolean): string {
    const placeholder = this.#placeholders.get(value) ?? this.#next(kind, comesBack);
    this.#placeholders.set(value, placeholder);
    if (comesBack) this.#values.set(placeholder, value);
    return placeholder;
  }

  #next(kind: SensitiveKind, comesBack: boolean): string {
    const { tag } = this.#beside;
    for (;;) {
      const count = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, count);
      const placeholder = `[${kinds[kind].placeholder}_${tag === undefined ? '' : `${tag}_`}${count}]`;
      if (!comesBack || !this.#isTaken(placeholder)) return placeholder;
    }
  }

  #isTaken(placeholder: string): boolean {
    this.#taken ??= new Set(this.#beside.asked?.().match(PLACEHOLDERS));
    return this.#taken.has(placeholder);
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
