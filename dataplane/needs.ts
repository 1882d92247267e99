// What a request needs of a backend, read from its body where something depends on it. Cheap: fields by their place, and marks searched
// for in the prompt; nothing is parsed but small settings.
import { isAscii } from 'node:buffer';
import type { Operation } from '#core/chat/dialect.ts';
import type { Field, JsonView } from '#core/json/view.ts';
import { finish, hashBytes, hashText, mix } from '#core/plan/hash.ts';
import { CAPABILITY_OF, type Needed, type RequestNeeds } from '#core/plan/needs.ts';
import type { NearestTask } from '#core/plan/tasks.ts';
import type { Exchange } from './exchange.ts';
import type { BodyFields } from './frontends/body-fields.ts';

export class BodyNeeds implements RequestNeeds {
  readonly operation: Operation;
  readonly #fields: BodyFields;
  readonly #action: Exchange['action'];
  readonly #headers: Exchange['headers'];
  readonly #body: JsonView;
  readonly #tenant: string;
  readonly #model: string;
  task: NearestTask | undefined;
  #leastInput: number | undefined;
  #prefix: number | undefined;

  constructor(
    { frontend, action, headers }: Pick<Exchange, 'frontend' | 'action' | 'headers'>,
    body: JsonView,
    tenant: string,
    model: string,
  ) {
    this.operation = frontend.operation;
    this.#fields = frontend.fields;
    this.#action = action;
    this.#headers = headers;
    this.#body = body;
    this.#tenant = tenant;
    this.#model = model;
  }

  needs(capability: Needed): boolean {
    switch (capability) {
      case 'Chat':
      case 'Embeddings':
      case 'Rerank':
      case 'Moderation':
        return CAPABILITY_OF[this.operation] === capability;
      case 'Tools':
        return this.#isAnswered && this.#fields.tools.some(name => this.#lists(name));
      case 'Vision':
        return this.#isAnswered && this.#hasPart(this.#fields.parts.image);
      case 'JSONSchema':
        return this.#isAnswered && this.#asksForSchema();
    }
  }

  /** A count of tokens can be made of anything, by any model; the texts of a batch each have a window of their own. */
  get #isAnswered(): boolean {
    return this.#action === 'generate';
  }

  /** About four bytes a token; the structure of the body counts in, which errs on the high side. */
  inputTokens(): number {
    return Math.ceil(this.#body.bytes.length / 4);
  }

  leastInputTokens(): number {
    this.#leastInput ??= this.#isAnswered ? this.#least() : 0;
    return this.#leastInput;
  }

  maxOutputTokens(): number | undefined {
    return this.#fields.outputLimit(this.#body);
  }

  prefix(): number {
    this.#prefix ??= this.#hashPrefix();
    return this.#prefix;
  }

  /** Of its tenant: two tenants may use the same names. */
  session(header: string): string | undefined {
    const value = this.#headers[header];
    return typeof value === 'string' && value !== '' ? `${this.#tenant}\n${value}` : undefined;
  }

  /** An empty list asks for nothing; in one dialect it stands in an object. */
  #lists(name: string): boolean {
    const field = this.#body.fields.get(name);
    if (!field || field.end - field.start <= 2) return false;
    const first = this.#body.bytes[field.start];
    return first === OPEN_BRACKET || first === OPEN_BRACE;
  }

  #asksForSchema(): boolean {
    const { schema } = this.#fields;
    for (const name of schema.in) {
      const field = this.#body.fields.get(name);
      if (field && this.#body.bytes.subarray(field.start, field.end).includes(schema.mark)) return true;
    }
    return false;
  }

  #least(): number {
    const { bytes } = this.#body;
    // The bytes of an image or a document say nothing of its tokens.
    const { image, document, audio } = this.#fields.parts;
    if (this.#hasPart(image) || this.#hasPart(document) || this.#hasPart(audio)) return 0;
    const field = this.#body.fields.get(this.#fields.turns);
    if (!field) return 0;
    const text = bytes.subarray(field.start, field.end);
    return Math.floor(text.length / (isAscii(text) && !text.includes('\\u') ? BYTES_PER_TOKEN_ASCII : BYTES_PER_TOKEN));
  }

  /** A part of a turn with one of these marks. Inside of a string the quote would be escaped. */
  #hasPart(marks: readonly string[]): boolean {
    const { turns, parts } = this.#fields;
    const field = this.#body.fields.get(turns);
    if (!field) return false;
    const bytes = this.#body.bytes.subarray(field.start, field.end);
    for (const mark of marks)
      for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length))
        if (isValueOf(parts.keys, bytes, at)) return true;
    return false;
  }

  #hashPrefix(): number {
    const { bytes, fields } = this.#body;
    let hash = hashText(this.#model, hashText(this.#tenant));
    for (const name of this.#fields.instructions) {
      const field = fields.get(name);
      if (field) hash = mix(hash, hashBytes(bytes, field.start, Math.min(field.end, field.start + PREFIX_BYTES)));
    }
    const turns = fields.get(this.#fields.turns);
    if (turns) hash = mix(hash, hashBytes(bytes, turns.start, prefixEnd(bytes, turns)));
    return finish(hash);
  }
}

const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/**
 * More than text has anywhere: about 4.5 of English prose, and 11 of scripts of three bytes a letter that have tokens of their own (Tamil
 * in o200k); escaped letters take twice as many bytes.
 */
const BYTES_PER_TOKEN_ASCII = 8;
const BYTES_PER_TOKEN = 32;

/** Whether the string that begins at `at` is the value of one of the keys. */
function isValueOf(keys: readonly string[], bytes: Buffer, at: number): boolean {
  const colon = beforeSpace(bytes, at);
  if (bytes[colon] !== COLON) return false;
  const end = beforeSpace(bytes, colon) + 1;
  return keys.some(key => end >= key.length && bytes.toString('latin1', end - key.length, end) === key);
}

const COLON = 0x3a;

/** The last byte before `at` that is no white space. */
function beforeSpace(bytes: Buffer, at: number): number {
  let before = at - 1;
  while (before >= 0 && bytes[before]! <= 0x20) before--;
  return before;
}

/** What decides where a prompt goes: enough to tell conversations apart, and short enough to be cheap. */
const PREFIX_BYTES = 1024;
const ASSISTANT_MARK = '"assistant"';
const CLOSE_BRACE = 0x7d;

/** Before the first answer, so that the turns of a conversation begin alike; at most so many bytes. */
function prefixEnd(bytes: Buffer, { start, end }: Field): number {
  const most = Math.min(end, start + PREFIX_BYTES);
  const answer = bytes.subarray(start, most).indexOf(ASSISTANT_MARK);
  if (answer < 0 && most < end) return most;
  const last = bytes.lastIndexOf(CLOSE_BRACE, answer < 0 ? most - 1 : start + answer);
  return last < start ? most : last + 1;
}
