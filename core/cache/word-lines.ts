// On which lines of a text a word stands: the text as it is and two arrays of numbers, where a Map would have an object for each word.

/** Words are parted by spaces and ends of lines. */
export class WordLines {
  readonly #text: string;
  /** A hash table with open addressing: where a word begins in the text, plus one; 0 is an empty place. A word has a place for each time it stands there. */
  readonly #starts: Int32Array;
  readonly #lines: Int32Array;

  constructor(text: string) {
    this.#text = text;
    const places = 2 ** Math.ceil(Math.log2(2 * wordCount(text) + 1));
    this.#starts = new Int32Array(places);
    this.#lines = new Int32Array(places);
    let line = 0;
    for (let start = 0, at = 0; at <= text.length; at++) {
      if (!endsWord(text, at)) continue;
      if (at > start) this.#add(start, at, line);
      if (text.charCodeAt(at) === NEW_LINE) line++;
      start = at + 1;
    }
  }

  /** The first of them, from 0. */
  lineOf(word: string): number | undefined {
    const place = this.#next(word, hashOf(word, 0, word.length));
    return place < 0 ? undefined : this.#lines[place];
  }

  /** Those after one line and before another, ascending. */
  linesOf(word: string, after: number, before: number): readonly number[] {
    const lines: number[] = [];
    for (let place = this.#next(word, hashOf(word, 0, word.length)); place >= 0; place = this.#next(word, place + 1)) {
      const line = this.#lines[place]!;
      if (line > after && line < before) lines.push(line);
    }
    return lines;
  }

  #add(start: number, end: number, line: number): void {
    const mask = this.#starts.length - 1;
    let place = hashOf(this.#text, start, end) & mask;
    while (this.#starts[place] !== 0) place = (place + 1) & mask;
    this.#starts[place] = start + 1;
    this.#lines[place] = line;
  }

  /** The next place of a word at this one or after it; -1: there is none. */
  #next(word: string, from: number): number {
    const mask = this.#starts.length - 1;
    for (let place = from & mask; this.#starts[place] !== 0; place = (place + 1) & mask) {
      const start = this.#starts[place]! - 1;
      if (this.#text.startsWith(word, start) && endsWord(this.#text, start + word.length)) return place;
    }
    return -1;
  }
}

const SPACE = 32;
const NEW_LINE = 10;

function endsWord(text: string, at: number): boolean {
  if (at >= text.length) return true;
  const code = text.charCodeAt(at);
  return code === SPACE || code === NEW_LINE;
}

function wordCount(text: string): number {
  let count = 1;
  for (let at = 0; at < text.length; at++) if (endsWord(text, at)) count++;
  return count;
}

/** FNV-1a over UTF-16, then mixed, as only the low bits are used. */
function hashOf(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
