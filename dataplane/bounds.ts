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
import type { JsonView } from '#core/json/view.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type Millis, type NanoUsd, type Tokens, tokens } from '#core/units.ts';
import type { Exchange } from './exchange.ts';
import { estimateInputTokens } from './frontends/index.ts';
import type { OutputAsked, Provider } from './providers/provider.ts';

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
  #bytes: InputFacts | undefined;
  #counted: Promise<InputFacts> | undefined;

  constructor(exchange: Exchange, body: JsonView, estimate: Estimate) {
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
    return this.#body.has('audio') || (this.#body.bytes.includes(PART_MARK) && this.#body.bytes.includes('"input_audio"'));
  }

  #look(): InputFacts {
    const { bytes } = this.#body;
    const tools = this.#body.has('tools') || this.#body.has('functions');
    return { bytes: bytes.length, attachments: this.#attachments(), tools };
  }

  /** Only a body that names such a part is read for them. */
  #attachments(): Attachments {
    const { bytes } = this.#body;
    if (!bytes.includes(PART_MARK) || !ATTACHMENT_MARKS.some(mark => bytes.includes(mark))) return noAttachments;
    const request = this.#exchange.frontend.decode(this.#body);
    // Parts that we do not know, in a body that its own dialect may take: each mark counts as an image.
    return request.ok ? attachmentsOf(request.value) : { ...noAttachments, images: occurrences(bytes) };
  }

  async #count(facts: InputFacts): Promise<InputFacts> {
    const request = this.#exchange.frontend.decode(this.#body);
    if (!request.ok) return facts;
    const counted = await estimateInputTokens(request.value, this.#estimate);
    return { ...facts, counted: { tokens: counted, messages: request.value.messages.length, tokenizer: 'own' } };
  }
}

/** Every part of a message that is no plain text has one; a JSON string cannot hold it unescaped. */
const PART_MARK = '"type"';
const ATTACHMENT_MARKS = ['"image', '"input_image', '"document"', '"file"'];

function occurrences(bytes: Buffer): number {
  let count = 0;
  for (const mark of ATTACHMENT_MARKS)
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) count++;
  return count;
}

/** The upper bounds of one attempt. */
export class AttemptBounds {
  readonly #input: InputKnowledge;
  readonly #candidate: Candidate;
  readonly #provider: Provider;
  readonly #output: OutputAsked;
  readonly #price: PriceFacts;

  constructor(input: InputKnowledge, candidate: Candidate, provider: Provider, output: OutputAsked, timeLimit: Millis) {
    this.#input = input;
    this.#candidate = candidate;
    this.#provider = provider;
    this.#output = output;
    this.#price = { audio: input.hasAudio, duration: timeLimit };
  }

  async bound(basis: Basis, outputLimit = this.#output.maxTokens): Promise<Bound> {
    const { model } = this.#candidate;
    const input = await this.#inputBound(basis);
    const output = outputBound(outputLimit, this.#output.choices, model);
    return { cost: costBound(input, output, model.price, this.#price), tokens: tokens(input + output) };
  }

  /** The longest answer that what is left pays for; undefined where none is, or where it would not be shorter. */
  async outputThatFits(left: NanoUsd): Promise<Tokens | undefined> {
    const { model } = this.#candidate;
    const { choices, maxTokens } = this.#output;
    const fits = fitOutput(left, await this.#inputBound('counted'), choices, model.price, this.#price);
    const asked = maxTokens ?? outputBound(undefined, 1, model);
    return fits !== undefined && fits < asked ? fits : undefined;
  }

  async #inputBound(basis: Basis): Promise<Tokens> {
    const facts = await this.#input.facts(basis);
    const { counted } = facts;
    const own = counted && { ...facts, counted: { ...counted, tokenizer: this.#provider.tokenizer } };
    return inputBound(own ?? facts, this.#candidate.model);
  }
}
