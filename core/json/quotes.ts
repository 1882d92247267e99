// Whether a place in a text is within a string, for a text in JSON that comes in pieces.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class Quotes {
  /** From `#offset` of the whole text on. */
  #text = '';
  #offset = 0;
  #isEscaped = false;
  #isOpen = false;

  push(piece: string): void {
    this.#text += piece;
  }

  /** @param offset into the whole text; none before one that was asked for already */
  isOpenAt(offset: number): boolean {
    const length = offset - this.#offset;
    for (let at = 0; at < length; at++) this.#read(this.#text.charCodeAt(at));
    this.#text = this.#text.slice(length);
    this.#offset = offset;
    return this.#isOpen;
  }

  #read(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === QUOTE) this.#isOpen = !this.#isOpen;
    else this.#isEscaped = code === BACKSLASH;
  }

  /** A text as it is written at that place: the inside of a string, or a string. */
  writtenAt(offset: number, text: string): string {
    const string = JSON.stringify(text);
    return this.isOpenAt(offset) ? string.slice(1, -1) : string;
  }
}
