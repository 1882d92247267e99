// Tells when a JSON object that arrives in pieces is whole, without parsing it: brackets counted outside of strings.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

export class JsonEnd {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isReached = false;

  /** Never true for anything but an object or a list: of a number, more digits may always come. */
  get isReached(): boolean {
    return this.#isReached;
  }

  feed(piece: string): void {
    for (let at = 0; at < piece.length; at++) this.#step(piece.charCodeAt(at));
  }

  #step(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === QUOTE) this.#isInString = !this.#isInString;
    else if (this.#isInString) this.#isEscaped = code === BACKSLASH;
    else if (OPENING.has(code)) this.#depth++;
    else if (CLOSING.has(code)) this.#isReached = --this.#depth <= 0;
  }
}
