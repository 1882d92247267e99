// Reads a request body as bytes and answers: is this one valid JSON object, and where do its top-level fields stand? Complete
// and strict (RFC 8259), because what we checked must be what the upstream reads: duplicate keys and case variants of the
// fields that we interpret are refused, since parsers disagree on them. Never recurses, never builds the values.
import { ok, type Parsed, refuse } from '../failure.ts';
import { hashOf, hashStep, type Key, Keys, textOf } from './keys.ts';
import { BROKEN, Tokens } from './tokens.ts';
import { type Field, JsonView } from './view.ts';

export type ScanLimits = {
  /** Objects and arrays inside one another, the body itself included. */
  readonly maxDepth: number;
  /** Names of the top-level fields that the gateway reads itself: case variants of them are refused. */
  readonly interpreted: ReadonlySet<string>;
  /** `isUtf8` of node:buffer: the only fast check there is, and core imports nothing of Node. */
  readonly isUtf8: (bytes: Buffer) => boolean;
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const [ARRAY, ARRAY_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d] as const;

export function scanObject(bytes: Buffer, limits: ScanLimits): Parsed<JsonView> {
  if (!limits.isUtf8(bytes)) return refuse('invalid_request', { message: 'The request body is not valid UTF-8.' });
  const scanner = new Scanner(bytes, limits);
  return scanner.scan() ? ok(new JsonView(bytes, scanner.fields)) : scanner.refusal();
}

/** An object or array that is open; reused for later ones of the same depth. */
class Level {
  /** The byte that closes it. */
  closer = OBJECT_END as number;
  /** Of the element that is being read, in an array. */
  index = 0;
  /** The one whose value is being read, in an object. */
  readonly key: Key = { start: 0, end: 0, hash: 0, escaped: false };
  readonly keys = new Keys();

  open(closer: number): void {
    this.closer = closer;
    this.index = 0;
    this.keys.clear();
  }
}

class Scanner {
  readonly fields = new Map<string, Field>();
  readonly #bytes: Buffer;
  readonly #tokens: Tokens;
  readonly #limits: ScanLimits;
  readonly #levels: Level[] = [];
  #depth = 0;
  /** Of the top-level field that is being read. */
  #name = '';
  #valueStart = 0;
  /** A refusal that is not one of the grammar: its text, and the path that it is about. */
  #objection: { message: string; param?: string } | undefined;

  constructor(bytes: Buffer, limits: ScanLimits) {
    this.#bytes = bytes;
    this.#tokens = new Tokens(bytes);
    this.#limits = limits;
  }

  scan(): boolean {
    const start = this.#afterSpace(0);
    if (this.#bytes[start] !== OBJECT) return this.#object('The request body must be a JSON object.') !== BROKEN;
    const end = this.#container(start);
    if (end === BROKEN) return false;
    const rest = this.#afterSpace(end);
    return rest === this.#bytes.length || this.#tokens.fail(rest, 'nothing may follow the object') !== BROKEN;
  }

  refusal(): Parsed<never> {
    if (this.#objection) return refuse('invalid_request', this.#objection);
    const { problem, problemAt } = this.#tokens;
    const message = `The request body is not valid JSON: ${problem} (${placeOf(this.#bytes, problemAt)}).`;
    return refuse('invalid_request', { message });
  }

  /** The end of the container at `start`, and of all that it holds. */
  #container(start: number): number {
    let at = this.#open(start);
    while (at !== BROKEN && this.#depth > 0) at = this.#member(at, this.#levels[this.#depth - 1]!);
    return at;
  }

  /** Where the first member may stand. */
  #open(at: number): number {
    if (this.#depth === this.#limits.maxDepth) return this.#tooDeep();
    const closer = this.#bytes[at] === OBJECT ? OBJECT_END : ARRAY_END;
    if (this.#depth === this.#levels.length) this.#levels.push(new Level());
    this.#levels[this.#depth++]!.open(closer);
    const first = this.#afterSpace(at + 1);
    return this.#bytes[first] === closer ? this.#close(first) : first;
  }

  #close(at: number): number {
    this.#depth--;
    return this.#afterValue(at + 1);
  }

  /** From the start of one member to the start of the next one, which may be inside it. */
  #member(at: number, level: Level): number {
    const value = level.closer === OBJECT_END ? this.#key(at, level) : at;
    if (value === BROKEN) return BROKEN;
    const c = this.#bytes[value];
    if (c === OBJECT || c === ARRAY) return this.#open(value);
    const end = this.#tokens.scalar(value);
    return end === BROKEN ? BROKEN : this.#afterValue(end);
  }

  /** Past a value, the comma behind it, or the ends of all containers that end with it. */
  #afterValue(end: number): number {
    let at = end;
    while (this.#depth > 0) {
      const level = this.#levels[this.#depth - 1]!;
      if (this.#depth === 1) this.#field(level.key, at);
      at = this.#afterSpace(at);
      const c = this.#bytes[at];
      if (c === COMMA) {
        level.index++;
        return this.#afterSpace(at + 1);
      }
      if (c !== level.closer) return this.#tokens.fail(at, 'a comma or a closing bracket is expected');
      this.#depth--;
      at++;
    }
    return at;
  }

  /** Past the key and its colon. */
  #key(at: number, level: Level): number {
    if (this.#bytes[at] !== QUOTE) return this.#tokens.fail(at, 'a key is expected');
    const end = this.#readKey(at, level.key);
    if (end === BROKEN) return BROKEN;
    if (!level.keys.add(this.#bytes, level.key)) return this.#duplicate(level.key);
    if (this.#depth === 1) {
      this.#name = textOf(this.#bytes, level.key);
      if (this.#isCaseVariant(this.#name)) return this.#caseVariant(this.#name);
    }
    const colon = this.#afterSpace(end);
    if (this.#bytes[colon] !== COLON) return this.#tokens.fail(colon, 'a colon is expected');
    const value = this.#afterSpace(colon + 1);
    if (this.#depth === 1) this.#valueStart = value;
    return value;
  }

  #readKey(at: number, key: Key): number {
    const bytes = this.#bytes;
    let hash = 0;
    let p = at + 1;
    for (let c = bytes[p]!; c >= 0x20 && c !== QUOTE && c !== BACKSLASH; c = bytes[++p]!) hash = hashStep(hash, c);
    key.escaped = bytes[p] !== QUOTE;
    const end = key.escaped ? this.#tokens.string(at) : p + 1;
    key.start = at;
    key.end = end;
    key.hash = end !== BROKEN && key.escaped ? hashOf(textOf(bytes, key)) : hash;
    return end;
  }

  #field(key: Key, end: number): void {
    const { start: keyStart, end: keyEnd } = key;
    this.fields.set(this.#name, { keyStart, keyEnd, start: this.#valueStart, end });
  }

  #afterSpace(at: number): number {
    const bytes = this.#bytes;
    let p = at;
    for (let c = bytes[p]!; c <= 0x20; c = bytes[++p]!) if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return p;
    return p;
  }

  #isCaseVariant(name: string): boolean {
    const { interpreted } = this.#limits;
    return !interpreted.has(name) && interpreted.has(foldCase(name));
  }

  #object(message: string, param?: string): typeof BROKEN {
    this.#objection = param === undefined ? { message } : { message, param };
    return BROKEN;
  }

  #tooDeep(): typeof BROKEN {
    return this.#object(`The request body is nested more than ${this.#limits.maxDepth} levels deep.`);
  }

  #duplicate(key: Key): typeof BROKEN {
    const path = this.#path();
    return this.#object(`The key ${quoted(textOf(this.#bytes, key))} is in the same object twice, at ${path}.`, path);
  }

  #caseVariant(name: string): typeof BROKEN {
    const message = `The field ${quoted(name)} must be written ${quoted(foldCase(name))}: servers disagree on what other spellings mean.`;
    return this.#object(message, shortened(name));
  }

  /** Of the member that is being read: `messages[3].content`. */
  #path(): string {
    const steps = this.#levels.slice(0, this.#depth).map(({ closer, index, key }) => {
      return closer === OBJECT_END ? `.${textOf(this.#bytes, key)}` : `[${index}]`;
    });
    return shortened(steps.join('').slice(1));
  }
}

/** Go's decoder folds by Unicode's rules, where U+017F equals `s` and U+212A equals `k`: upper case first maps both. */
const foldCase = (name: string): string => name.toUpperCase().toLowerCase();

const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}...` : text);
const quoted = (name: string): string => JSON.stringify(shortened(name));

/** Lines and columns from 1, as editors count them. */
function placeOf(bytes: Buffer, at: number): string {
  const before = bytes.subarray(0, at).toString();
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return `byte ${at}, line ${line}, column ${before.length - lineStart + 1}`;
}
