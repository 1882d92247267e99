// The tokens of JSON (RFC 8259) over bytes: where a string, a number or a literal that begins at a position ends. Written for
// bodies of megabytes that are mostly one string: long runs are skipped by native searches and four bytes at a time.

/** No token begins here, or it breaks off: see `problem` and `problemAt`. */
export const BROKEN = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** Bytes read one by one before four at a time, and words read so before the native searches: what pays off, by test/bench/micro.ts. */
const FEW_BYTES = 12;
const FEW_WORDS = 64;

const literals = new Map(['true', 'false', 'null'].map(word => [word.charCodeAt(0), Buffer.from(word)]));
/** By byte: 1 for what may stand behind a backslash alone. */
const simpleEscapes = Uint8Array.from({ length: 256 }, (_, byte) => Number('"\\/bfnrt'.includes(String.fromCharCode(byte))));

export class Tokens {
  readonly bytes: Buffer;
  problem = '';
  problemAt = 0;
  // The next quote and backslash at or after some earlier position. Kept, so that all searches together read the bytes once.
  #quote = -1;
  #backslash = -1;
  /** The bytes from `#lead` on, four to a word. */
  readonly #words: Int32Array;
  readonly #lead: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#lead = -bytes.byteOffset & 3;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset + this.#lead, Math.max(0, bytes.length - this.#lead) >> 2);
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
    let p = at + 1;
    for (;;) {
      p = this.#plainEnd(p);
      const c = bytes[p];
      if (c === QUOTE) return p + 1;
      if (c !== BACKSLASH) return this.fail(p, 'a control character in a string must be escaped');
      p = this.#escape(p);
      if (p === BROKEN) return BROKEN;
    }
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
    if (simpleEscapes[kind] === 1) return at + 2;
    if (kind !== 0x75) return this.fail(at + 1, 'there is no such escape');
    for (let p = at + 2; p < at + 6; p++) if (!isHexDigit(this.bytes[p]!)) return this.fail(p, 'a hexadecimal digit is expected');
    return at + 6;
  }

  /** The next byte that means something in a string: a quote, a backslash, a control character; or the end of all. */
  #plainEnd(start: number): number {
    const wordStart = ((start + FEW_BYTES - this.#lead) & ~3) + this.#lead;
    const p = this.#plainEndBefore(start, wordStart);
    return p === wordStart ? this.#plainEndByWords(wordStart) : p;
  }

  #plainEndBefore(start: number, end: number): number {
    const { bytes } = this;
    const last = Math.min(end, bytes.length);
    for (let p = start; p < last; p++) {
      const c = bytes[p]!;
      if (c === QUOTE || c === BACKSLASH || c < SPACE) return p;
    }
    return last;
  }

  #plainEndByWords(start: number): number {
    const words = this.#words;
    const first = (start - this.#lead) >> 2;
    const end = first + FEW_WORDS;
    const last = Math.min(end, words.length);
    let i = first;
    while (i < last && isPlain(words[i]!)) i++;
    const p = this.#lead + i * 4;
    return i === end ? this.#plainEndBySearch(p) : this.#plainEndBefore(p, this.bytes.length);
  }

  #plainEndBySearch(start: number): number {
    const { bytes } = this;
    if (this.#quote < start) this.#quote = indexOrEnd(bytes, QUOTE, start);
    if (this.#backslash < start) this.#backslash = indexOrEnd(bytes, BACKSLASH, start);
    const end = Math.min(this.#quote, this.#backslash);
    const lead = this.#lead;
    const control = firstWordWithControl(this.#words, (start - lead) >> 2, (end - lead) >> 2);
    return this.#plainEndBefore(lead + control * 4, end);
  }
}

/** The first of the words `[first, last)` that holds a byte below 0x20 (or the first of its group of four); `last` when none does. */
function firstWordWithControl(words: Int32Array, first: number, last: number): number {
  let i = first;
  for (; i + 4 <= last; i += 4) {
    const a = words[i]!;
    const b = words[i + 1]!;
    const c = words[i + 2]!;
    const d = words[i + 3]!;
    const below20 = ((a - 0x20202020) & ~a) | ((b - 0x20202020) & ~b) | ((c - 0x20202020) & ~c) | ((d - 0x20202020) & ~d);
    if ((below20 & 0x80808080) !== 0) return i;
  }
  return i;
}

/** No byte of the word is a quote, a backslash or below 0x20: "a zero byte" and "a byte less than n" of Anderson's Bit Twiddling Hacks. */
function isPlain(word: number): boolean {
  const quote = word ^ 0x22222222;
  const backslash = word ^ 0x5c5c5c5c;
  const hits = ((word - 0x20202020) & ~word) | ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash);
  return (hits & 0x80808080) === 0;
}

const indexOrEnd = (bytes: Buffer, byte: number, from: number): number => {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
};

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isHexDigit = (c: number): boolean => isDigit(c) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
