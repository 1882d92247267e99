// How much a request can use at most at a backend: of its body, of what it asks for, of what the backend's model may give.
import { attachmentsOf } from '#core/admission/attachments.ts';
import {
  type Attachments,
  costBound,
  fitOutput,
  type InputFacts,
  inputBound,
  noAttachments,
  outputBound,
  type PriceFacts,
} from '#core/admission/bound.ts';
import type { ToolsAsked } from '#core/chat/tools-asked.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type Millis, type NanoUsd, nanoUsd, type Tokens, tokens } from '#core/units.ts';
import { type ChatExchange, type Exchange, isChat } from './exchange.ts';
import { estimateInputTokens } from './frontends/index.ts';
import type { OutputAsked, Wire } from './providers/provider.ts';

/** Tokens of a text. */
export type Estimate = (text: string) => Promise<number>;

/** What is reserved for an attempt: its cost, and its tokens of both directions. */
export type Bound = { readonly cost: NanoUsd; readonly tokens: Tokens };

/** `bytes`: no token has less than a byte. `counted`: by our tokenizer, with a margin; tighter, and work. */
export type Basis = 'bytes' | 'counted';

/** What is known of the input of one request, whatever backend it goes to. Nothing is looked at before it is needed. */
export class InputKnowledge {
  readonly #exchange: Exchange;
  readonly #body: JsonView;
  readonly #estimate: Estimate;
  readonly #carried: InputFacts['carried'];
  #bytes: InputFacts | undefined;
  #counted: Promise<InputFacts> | undefined;
  #hasParts: boolean | undefined;
  #hidesLetters: boolean | undefined;

  /** @param carried see InputFacts */
  constructor(exchange: Exchange, body: JsonView, estimate: Estimate, carried?: InputFacts['carried']) {
    this.#carried = carried;
    this.#exchange = exchange;
    this.#body = body;
    this.#estimate = estimate;
  }

  facts(basis: Basis): InputFacts | Promise<InputFacts> {
    this.#bytes ??= this.#look();
    if (basis === 'bytes') return this.#bytes;
    this.#counted ??= this.#count(this.#bytes);
    return this.#counted;
  }

  get hasAudio(): boolean {
    if (this.#exchange.action === 'pass') return true;
    return this.#body.has('audio') || this.#mayHave(this.#exchange.frontend.fields.parts.audio);
  }

  /** Of `prediction`: what of it the answer does not take up is billed as output all the same. A byte is at least a token. */
  get predicted(): number {
    const field = this.#body.fields.get('prediction');
    return field ? field.end - field.start : 0;
  }

  /** See InputFacts. */
  get requests(): number | undefined {
    return this.#extent?.requests;
  }

  /** See InputFacts. */
  get units(): number | undefined {
    return this.#extent?.units;
  }

  get #extent(): InputFacts | undefined {
    if (isChat(this.#exchange)) return undefined;
    this.#bytes ??= this.#look();
    return this.#bytes;
  }

  /** A provider's count of tokens is no answer of a model: it takes nothing of limits and budgets but a request. */
  get isFree(): boolean {
    return this.#exchange.action === 'count-tokens';
  }

  #look(): InputFacts {
    const exchange = this.#exchange;
    if (!isChat(exchange))
      return { ...exchange.frontend.extent(this.#body), attachments: noAttachments, tools: false, isBatch: true };
    const { bytes } = this.#body;
    const tools = exchange.frontend.fields.tools.some(name => this.#body.has(name));
    const carried = this.#carried !== undefined && { carried: this.#carried };
    return { bytes: bytes.length, attachments: this.#attachments(exchange), tools, ...carried };
  }

  /** Only a body that names such a part is read for them. */
  #attachments({ frontend }: ChatExchange): Attachments {
    const { image, document } = frontend.fields.parts;
    const marks = [...image, ...document];
    if (!this.#mayHave(marks)) return noAttachments;
    const request = frontend.decode(this.#body);
    // Parts that we do not know, in a body that its own dialect may take: each mark counts as an image.
    return request.ok ? attachmentsOf(request.value) : { ...noAttachments, images: occurrences(this.#body.bytes, marks) };
  }

  /** Whether a part of a turn may have one of these marks. */
  #mayHave(marks: readonly string[]): boolean {
    const { bytes } = this.#body;
    this.#hasParts ??= this.#exchange.frontend.fields.parts.keys.some(key => bytes.includes(key));
    this.#hidesLetters ??= hidesLetters(bytes);
    return this.#hidesLetters || (this.#hasParts && marks.some(mark => bytes.includes(mark)));
  }

  async #count(facts: InputFacts): Promise<InputFacts> {
    const exchange = this.#exchange;
    // Most of what is passed on is no text.
    if (exchange.action === 'pass') return facts;
    if (exchange.action === 'unary') {
      const { tokens, texts } = await exchange.frontend.count(this.#body, this.#estimate);
      return { ...facts, counted: { tokens, messages: texts, tokenizer: 'own' } };
    }
    const request = exchange.frontend.decode(this.#body);
    if (!request.ok) return facts;
    const told = await estimateInputTokens(request.value, this.#estimate);
    const counted = tokens(told + (await this.#estimate(this.#besides())));
    return { ...facts, counted: { tokens: counted, messages: request.value.messages.length, tokenizer: 'own' } };
  }

  /** Other fields that are long enough to hold text: a schema, a grammar, a template. Providers make prompt of them. */
  #besides(): string {
    const { bytes, fields } = this.#body;
    const { instructions, turns, tools } = this.#exchange.frontend.fields;
    const measured = [...instructions, turns, ...tools];
    const long = [...fields].filter(
      ([name, { start, end }]) => end - start > SMALL_FIELD_BYTES && !measured.includes(name) && !LABELS.has(name),
    );
    return long.map(([, { start, end }]) => bytes.toString('utf8', start, end)).join('\n');
  }
}

/** A to z by their numbers. No encoder of JSON writes them so: who does hides a word such as `image_url` from those who look for it. */
const ASCII_ESCAPE = '\\u00';
const LETTER_ESCAPES = ['\\u004', '\\u005', '\\u006', '\\u007'];
const hidesLetters = (bytes: Buffer): boolean =>
  bytes.includes(ASCII_ESCAPE) && LETTER_ESCAPES.some(letter => bytes.includes(letter));

/** Fields that are never part of a prompt, however long. */
const LABELS: ReadonlySet<string> = new Set(['metadata', 'user', 'tags', 'prediction', 'fallbacks']);
/** Settings, and names of models. */
const SMALL_FIELD_BYTES = 128;

function occurrences(bytes: Buffer, marks: readonly string[]): number {
  let count = 0;
  for (const mark of [...marks, ...LETTER_ESCAPES])
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) count++;
  return count;
}

/** The upper bounds of one attempt. */
export class AttemptBounds {
  readonly #input: InputKnowledge;
  readonly #candidate: Candidate;
  readonly #provider: Pick<Wire, 'tokenizer'>;
  readonly #output: OutputAsked;
  readonly #tools: ToolsAsked | undefined;
  readonly #price: PriceFacts;

  constructor(
    input: InputKnowledge,
    candidate: Candidate,
    provider: Pick<Wire, 'tokenizer'>,
    output: OutputAsked,
    timeLimit: Millis,
    { tools, service }: Pick<PriceFacts, 'tools' | 'service'> = {},
  ) {
    this.#input = input;
    this.#candidate = candidate;
    this.#provider = provider;
    this.#output = output;
    this.#tools = tools;
    this.#price = { audio: input.hasAudio, duration: timeLimit, requests: input.requests, units: input.units, tools, service };
  }

  /** At once, unless something has to be counted. */
  bound(basis: Basis, outputLimit = this.#output.maxTokens): Bound | Promise<Bound> {
    if (this.#input.isFree) return { cost: nanoUsd(0), tokens: tokens(0) };
    const facts = this.#input.facts(basis);
    return facts instanceof Promise ? facts.then(told => this.#boundOf(told, outputLimit)) : this.#boundOf(facts, outputLimit);
  }

  #boundOf(facts: InputFacts, outputLimit: number | undefined): Bound {
    const { model } = this.#candidate;
    const input = this.#inputBound(facts);
    const output = tokens(outputBound(outputLimit, this.#output.choices, model) + this.#input.predicted);
    return { cost: costBound(input, output, model.price, this.#price), tokens: tokens(input + output) };
  }

  /** The longest answer that what is left pays for; undefined where none is, or where it would not be shorter. */
  async outputThatFits(left: NanoUsd): Promise<Tokens | undefined> {
    const { model } = this.#candidate;
    const { choices, maxTokens } = this.#output;
    const fits = fitOutput(left, this.#inputBound(await this.#input.facts('counted')), choices, model.price, this.#price);
    const asked = maxTokens ?? outputBound(undefined, 1, model);
    return fits !== undefined && fits < asked ? fits : undefined;
  }

  #inputBound(told: InputFacts): Tokens {
    const facts: InputFacts = this.#tools ? { ...told, carried: 'unknown' } : told;
    const { counted } = facts;
    const own = counted && { ...facts, counted: { ...counted, tokenizer: this.#provider.tokenizer } };
    return inputBound(own ?? facts, this.#candidate.model);
  }
}
