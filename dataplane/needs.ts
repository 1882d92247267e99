// What a request needs of a backend, read from its body where something depends on it. Cheap: fields by their place, and marks searched
// for in the prompt; nothing is parsed but small settings.
import { isAscii } from 'node:buffer';
import type { Operation } from '#core/chat/dialect.ts';
import type { Field, JsonView } from '#core/json/view.ts';
import { finish, hashBytes, hashText, mix } from '#core/plan/hash.ts';
import type { Needed, RequestNeeds } from '#core/plan/needs.ts';
import type { NearestTask } from '#core/plan/tasks.ts';
import type { Exchange } from './exchange.ts';

export class BodyNeeds implements RequestNeeds {
  readonly operation: Operation;
  /** A count of tokens can be made of anything, by any model. */
  readonly #isCount: boolean;
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
    this.#isCount = action === 'count-tokens';
    this.#headers = headers;
    this.#body = body;
    this.#tenant = tenant;
    this.#model = model;
  }

  needs(capability: Needed): boolean {
    switch (capability) {
      case 'Chat':
        return this.operation !== 'Embeddings';
      case 'Embeddings':
        return this.operation === 'Embeddings';
      case 'Tools':
        return !this.#isCount && (this.#lists('tools') || this.#lists('functions'));
      case 'Vision':
        return !this.#isCount && this.#hasPart(IMAGE_MARK);
      case 'JSONSchema':
        return !this.#isCount && this.#asksForSchema();
    }
  }

  /** About four bytes a token; the structure of the body counts in, which errs on the high side. */
  inputTokens(): number {
    return Math.ceil(this.#body.bytes.length / 4);
  }

  leastInputTokens(): number {
    this.#leastInput ??= this.#isCount ? 0 : this.#least();
    return this.#leastInput;
  }

  maxOutputTokens(): number | undefined {
    for (const name of OUTPUT_LIMITS) {
      const field = this.#body.fields.get(name);
      const limit = field && Number(this.#body.bytes.toString('latin1', field.start, field.end));
      if (limit !== undefined && limit > 0) return limit;
    }
    return undefined;
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

  /** An empty list asks for nothing. */
  #lists(name: string): boolean {
    const field = this.#body.fields.get(name);
    return field !== undefined && field.end - field.start > 2 && this.#body.bytes[field.start] === OPEN_BRACKET;
  }

  /** Each dialect has a field of its own for it, one of them two. */
  #asksForSchema(): boolean {
    for (const name of SCHEMA_FIELDS) {
      const field = this.#body.fields.get(name);
      if (field && this.#body.bytes.subarray(field.start, field.end).includes('"json_schema"')) return true;
    }
    return false;
  }

  #least(): number {
    const { bytes } = this.#body;
    // The bytes of an image or a document say nothing of its tokens.
    if (PART_MARKS.some(mark => this.#hasPart(mark))) return 0;
    const field = this.#body.fields.get('messages');
    if (!field) return 0;
    const text = bytes.subarray(field.start, field.end);
    return Math.floor(text.length / (isAscii(text) && !text.includes('\\u') ? BYTES_PER_TOKEN_ASCII : BYTES_PER_TOKEN));
  }

  /** A part of a message whose `type` begins with this. Inside of a string the quote would be escaped. */
  #hasPart(mark: string): boolean {
    const field = this.#body.fields.get('messages');
    if (!field) return false;
    const messages = this.#body.bytes.subarray(field.start, field.end);
    for (let at = messages.indexOf(mark); at >= 0; at = messages.indexOf(mark, at + mark.length))
      if (isTypeAt(messages, at)) return true;
    return false;
  }

  #hashPrefix(): number {
    const { bytes, fields } = this.#body;
    let hash = hashText(this.#model, hashText(this.#tenant));
    const system = fields.get('system');
    if (system) hash = mix(hash, hashBytes(bytes, system.start, Math.min(system.end, system.start + PREFIX_BYTES)));
    const messages = fields.get('messages');
    if (messages) hash = mix(hash, hashBytes(bytes, messages.start, prefixEnd(bytes, messages)));
    return finish(hash);
  }
}

const OPEN_BRACKET = 0x5b;
const OUTPUT_LIMITS = ['max_completion_tokens', 'max_tokens'];
const SCHEMA_FIELDS = ['response_format', 'output_config', 'output_format'];
const IMAGE_MARK = '"image';
const PART_MARKS = [IMAGE_MARK, '"document', '"file', '"input_audio'];

/**
 * More than text has anywhere: about 4.5 of English prose, and 11 of scripts of three bytes a letter that have tokens of their own (Tamil
 * in o200k); escaped letters take twice as many bytes.
 */
const BYTES_PER_TOKEN_ASCII = 8;
const BYTES_PER_TOKEN = 32;

/** Whether the string that begins at `at` is the value of a key `type`. */
function isTypeAt(bytes: Buffer, at: number): boolean {
  const colon = beforeSpace(bytes, at);
  if (bytes[colon] !== COLON) return false;
  const end = beforeSpace(bytes, colon) + 1;
  return end >= TYPE_KEY.length && bytes.toString('latin1', end - TYPE_KEY.length, end) === TYPE_KEY;
}

const COLON = 0x3a;
const TYPE_KEY = '"type"';

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
