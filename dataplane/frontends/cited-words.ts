// Citations of a streamed text for dialects that cite whole blocks: which come with its first words, and where another block begins.

export class CitedWords<Wire> {
  /** Of the text whose first word is still to come. */
  readonly #early: Wire[] = [];
  /** The words of the open block up to here rest on what was cited: further words are another block's. */
  #isCited = false;

  /** @returns whether it is for the block that is open; else it comes with the first words (`early`) */
  take(citation: Wire, hasSpan: boolean, isOpen: boolean): boolean {
    if (isOpen) this.#isCited ||= hasSpan;
    else this.#early.push(citation);
    return isOpen;
  }

  /** In a block that is open. */
  goesOn(text: string): boolean {
    return !this.#isCited || text.trim() === '';
  }

  early(): readonly Wire[] {
    return this.#early.splice(0);
  }

  closeBlock(): void {
    this.#isCited = false;
  }

  endText(): void {
    this.#early.length = 0;
  }
}
