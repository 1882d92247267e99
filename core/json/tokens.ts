// The tokens of JSON (RFC 8259) over bytes: where a string, a number or a literal that begins at a position ends. Written for
// bodies of megabytes that are mostly one string: long runs are skipped by native searches and four bytes at a time.

/** No token begins here, or it breaks off: see `problem` and `problemAt`. */
export const BROKEN = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** A run of plain bytes this long is left to the native search: a call of it costs as much as 32 steps of the loop (test/bench/micro.ts). */
const SHORT_RUN = 32;

const literals = new Map(['true', 'false', 'null'].map(word => [word.charCodeAt(0), Buffer.from(word)]));
const simpleEscapes = new Set(Buffer.from('"\\/bfnrt'));

export class Tokens {
  readonly bytes: Buffer;
  problem = '';
  problemAt = 0;
  // The next quote and backslash at or after some earlier position. Kept, so that all searches together read the bytes once.
  #quote = -1;
  #backslash = -1;
  #words: Int32Array | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The end of the string, number or literal at `at`, or BROKEN. */
  scalar(at: number): number {
    const c = this.bytes[at]!;
    if (c === QUOTE) return this.string(at);
    if (c === 0x2d || isDigit(c)) return this.number(at);
    return this.#literal(at, c);
  }

  string(at: number): number {
    const { bytes } = this;
    const { length } = bytes;
    let runEnd = at + SHORT_RUN;
    let p = at + 1;
    while (p < length) {
      const c = bytes[p]!;
      if (c === QUOTE) return p + 1;
      if (c === BACKSLASH) {
        p = this.#escape(p);
        if (p === BROKEN) return BROKEN;
        runEnd = p + SHORT_RUN;
      } else if (c < SPACE) {
        return this.fail(p, 'a control character in a string must be escaped');
      } else if (++p > runEnd) {
        p = this.#plainRun(p);
        if (p === BROKEN) return BROKEN;
        runEnd = p + SHORT_RUN;
      }
    }
    return this.fail(length, 'a string is not closed');
  }

  /** Reads on after BROKEN, which is harmless: no byte stands at that position. */
  number(at: number): number {
    const { bytes } = this;
    const start = bytes[at] === 0x2d ? at + 1 : at;
    let p = bytes[start] === 0x30 ? start + 1 : this.#digits(start);
    if (bytes[p] === 0x2e) p = this.#digits(p + 1);
    if (bytes[p] === 0x65 || bytes[p] === 0x45) {
      const sign = bytes[p + 1];
      p = this.#digits(sign === 0x2b || sign === 0x2d ? p + 2 : p + 1);
    }
    return p;
  }

  fail(at: number, problem: string): typeof BROKEN {
    this.problemAt = at;
    this.problem = at < this.bytes.length ? problem : 'it ends too soon';
    return BROKEN;
  }

  #literal(at: number, first: number): number {
    const word = literals.get(first);
    if (!word) return this.fail(at, 'a value is expected');
    for (let i = 1; i < word.length; i++) if (this.bytes[at + i] !== word[i]) return this.fail(at + i, 'a value is misspelt');
    return at + word.length;
  }

  #digits(at: number): number {
    const { bytes } = this;
    let p = at;
    while (isDigit(bytes[p]!)) p++;
    return p > at ? p : this.fail(at, 'a digit is expected');
  }

  #escape(at: number): number {
    const kind = this.bytes[at + 1]!;
    if (simpleEscapes.has(kind)) return at + 2;
    if (kind !== 0x75) return this.fail(at + 1, 'there is no such escape');
    for (let p = at + 2; p < at + 6; p++) if (!isHexDigit(this.bytes[p]!)) return this.fail(p, 'a hexadecimal digit is expected');
    return at + 6;
  }

  /** The next quote or backslash, when nothing but plain characters stands before it. */
  #plainRun(at: number): number {
    const { bytes } = this;
    if (this.#quote < at) this.#quote = indexOrEnd(bytes, QUOTE, at);
    if (this.#backslash < at) this.#backslash = indexOrEnd(bytes, BACKSLASH, at);
    const end = Math.min(this.#quote, this.#backslash);
    const control = this.#controlBetween(at, end);
    return control === end ? end : this.fail(control, 'a control character in a string must be escaped');
  }

  /** The first byte below 0x20 in `[start, end)`, or `end`. */
  #controlBetween(start: number, end: number): number {
    const { bytes } = this;
    const lead = -bytes.byteOffset & 3;
    this.#words ??= new Int32Array(bytes.buffer, bytes.byteOffset + lead, Math.max(0, bytes.length - lead) >> 2);
    const first = Math.max(0, (start - lead + 3) >> 2);
    const last = Math.max(first, (end - lead) >> 2);
    const head = Math.min(lead + first * 4, end);
    for (let p = start; p < head; p++) if (bytes[p]! < SPACE) return p;
    const clean = lead + firstWordWithControl(this.#words, first, last) * 4;
    for (let p = Math.max(clean, head); p < end; p++) if (bytes[p]! < SPACE) return p;
    return end;
  }
}

/** The first of the words `[first, last)` (or of its group of four) that holds a byte below 0x20; `last` when none does. */
function firstWordWithControl(words: Int32Array, first: number, last: number): number {
  let i = first;
  for (; i + 4 <= last; i += 4) {
    if ((below20(words[i]!) | below20(words[i + 1]!) | below20(words[i + 2]!) | below20(words[i + 3]!)) !== 0) return i;
  }
  for (; i < last; i++) if (below20(words[i]!) !== 0) return i;
  return last;
}

/** Not 0 when one of the four bytes is below 0x20: "determine if a word has a byte less than n", Anderson's Bit Twiddling Hacks. */
const below20 = (word: number): number => (word - 0x20202020) & ~word & 0x80808080;

const indexOrEnd = (bytes: Buffer, byte: number, from: number): number => {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
};

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isHexDigit = (c: number): boolean => isDigit(c) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
