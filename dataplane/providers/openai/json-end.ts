// Tells when a JSON object that arrives in pieces is whole, without parsing it: brackets counted outside of strings.

export class JsonEnd {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isReached = false;

  /** False for anything but an object or a list: a number may go on for ever. */
  get isReached(): boolean {
    return this.#isReached;
  }

  feed(piece: string): void {
    for (const character of piece) this.#step(character);
  }

  #step(character: string): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#isInString) this.#inString(character);
    else this.#outside(character);
  }

  #inString(character: string): void {
    if (character === '\\') this.#isEscaped = true;
    else if (character === '"') this.#isInString = false;
  }

  #outside(character: string): void {
    if (character === '"') this.#isInString = true;
    else if (character === '{' || character === '[') this.#depth++;
    else if (character === '}' || character === ']') this.#isReached = --this.#depth <= 0;
  }
}
