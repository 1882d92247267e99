// The keys of one JSON object while it is scanned: finds a key that comes twice. Keys are compared decoded (`"a"` is
// `"\u0061"`). Small objects, nearly all of them, cost a comparison of hashes and no string.

/** Beyond this many keys a Set takes over: it is linear for 100,000 of them, and V8 seeds its hashes against crafted collisions. */
const FEW = 12;

/** A quoted key in the bytes. `hash` covers the UTF-8 of the decoded key. */
export type Key = { start: number; end: number; hash: number; escaped: boolean };

export class Keys {
  readonly #few: Key[] = [];
  #count = 0;
  #many: Set<string> | undefined;

  clear(): void {
    this.#count = 0;
    this.#many = undefined;
  }

  /** False when the key is there already. */
  add(bytes: Buffer, key: Key): boolean {
    if (this.#many) return addNew(this.#many, textOf(bytes, key));
    for (let i = 0; i < this.#count; i++) {
      const other = this.#few[i]!;
      if (other.hash === key.hash && isSame(bytes, other, key)) return false;
    }
    if (this.#count < FEW) this.#remember(key);
    else this.#many = new Set([...this.#few, key].map(each => textOf(bytes, each)));
    return true;
  }

  /** Copies into the record of an earlier object: the scanner goes through many small objects. */
  #remember(key: Key): void {
    const slot = this.#few[this.#count++];
    if (!slot) {
      this.#few.push({ ...key });
      return;
    }
    slot.start = key.start;
    slot.end = key.end;
    slot.hash = key.hash;
    slot.escaped = key.escaped;
  }
}

/** The decoded key. */
export function textOf(bytes: Buffer, key: Key): string {
  return key.escaped
    ? (JSON.parse(bytes.toString('utf8', key.start, key.end)) as string)
    : bytes.toString('utf8', key.start + 1, key.end - 1);
}

/** One step of the hash of a key, for a scanner that reads the bytes anyway. */
export const hashStep = (hash: number, byte: number): number => (Math.imul(hash, 31) + byte) | 0;

export const hashOf = (text: string): number => Buffer.from(text).reduce(hashStep, 0);

function isSame(bytes: Buffer, a: Key, b: Key): boolean {
  if (a.escaped || b.escaped) return textOf(bytes, a) === textOf(bytes, b);
  return bytes.compare(bytes, a.start, a.end, b.start, b.end) === 0;
}

function addNew(set: Set<string>, text: string): boolean {
  const before = set.size;
  return set.add(text).size > before;
}
