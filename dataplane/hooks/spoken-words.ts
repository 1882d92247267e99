// The words of several events, or of a whole answer, as hooks are told of them: each text once, however many events it came in.
import type { Frame, Words } from './frame.ts';

/** As it is sent. */
export type ToldText = {
  readonly at: string;
  readonly text: string;
  /** What stood before it, and has gone on already. */
  readonly before?: string;
};

type Text = { readonly at: string; text: string; readonly words: Words[] };

export class SpokenWords {
  readonly #pieces = new Map<string, Text>();
  readonly #all: Text[] = [];
  characters = 0;

  add({ words }: Frame): void {
    for (const one of words) {
      if (one.text === '') continue;
      this.characters += one.text.length;
      const { place, isPiece } = one.at;
      const before = isPiece && this.#pieces.get(place);
      if (before) {
        before.text += one.text;
        before.words.push(one);
        continue;
      }
      const text = { at: place, text: one.text, words: [one] };
      this.#all.push(text);
      if (isPiece) this.#pieces.set(place, text);
    }
  }

  /** What some streams say again at their end, whole, is left out where it is the same. */
  texts(): readonly ToldText[] {
    return this.#distinct().map(({ at, text }) => ({ at, text }));
  }

  /**
   * @param texts one for each of `texts()`
   * @returns whether any is another
   */
  replace(texts: readonly string[]): boolean {
    let isChanged = false;
    const byText = new Map(this.#distinct().map(({ text }, i) => [text, texts[i]!]));
    for (const { text, words } of this.#all) {
      const [first, ...others] = words as [Words, ...Words[]];
      const other = byText.get(text)!;
      if (other === text) continue;
      isChanged = true;
      first.text = other;
      for (const one of others) one.text = '';
    }
    return isChanged;
  }

  #distinct(): readonly Text[] {
    const distinct = new Map<string, Text>();
    for (const text of this.#all) if (!distinct.has(text.text)) distinct.set(text.text, text);
    return [...distinct.values()];
  }
}
