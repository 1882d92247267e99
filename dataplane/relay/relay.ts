// What stands between the upstream's stream and the client: decides which bytes may go out, and notes what the stream says about
// itself (usage, finish, failure). Two of a kind: `passthrough.ts` for equal dialects, `translate.ts` for different ones.
import { type ChatEvent, type Finish, isContent } from '#core/chat/reply.ts';
import { type BilledTool, type ToolCalls, toolCallsIn, type Usage } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import type { StreamEncoder } from '../frontends/frontend.ts';
import { messagesOf } from '../http/sse.ts';
import type { StreamDecoder } from '../providers/provider.ts';

export type Relay = {
  /**
   * @param block whole SSE frames
   * @returns what the client gets now: nothing before the first content token is certain, then everything held back at once
   */
  push(block: Buffer): Buffer | string | undefined;
  /**
   * The upstream closed the stream.
   * @param rest the bytes of a last frame that has no blank line
   */
  close(rest: Buffer): Buffer | string | undefined;
  readonly state: RelayState;
  /** Of a stream that broke off. undefined: it cannot be gone on with, or nobody asked for that. */
  spoken(): Spoken | undefined;
};

/** What the client has of a stream that broke off, all of it text, and the encoder that would have written the rest. */
export type Spoken = {
  readonly text: string;
  readonly encoder: StreamEncoder;
  /** As far as it was told. */
  readonly usage: Usage | undefined;
};

export type RelayOptions = {
  /** An answer that a filter withheld before its first token is a failure that may go to another backend. */
  readonly filteredIsFailure: boolean;
  /** It goes on with a stream: to say nothing more is a good end. */
  readonly mayBeEmpty?: boolean;
};

/** Text that is kept for going on with a stream; a longer one ends where it breaks. */
export const MAX_SPOKEN = 1024 * 1024;

/** Collects the text of an answer, for as long as it has nothing else. */
export class SpokenText {
  text: string;
  /** There is something else: thinking, a citation, a tool call, a refusal. Or it is too long. */
  isMixed = false;
  /** A part that has begun, or was there, without a word: what a client has seen of it depends on the wire. */
  hasBlank = false;
  #atStart = false;

  constructor(before = '') {
    this.text = before;
  }

  note(event: ChatEvent): void {
    switch (event.kind) {
      case 'text-start':
        this.hasBlank ||= this.#atStart;
        this.#atStart = true;
        break;
      case 'text-delta':
        this.#atStart &&= event.text === '';
        this.text += event.text;
        this.isMixed ||= this.text.length > MAX_SPOKEN;
        break;
      case 'part-end':
        this.hasBlank ||= this.#atStart;
        break;
      case 'thinking-start':
      case 'refusal-start':
      case 'redacted-thinking':
      case 'citation':
      case 'tool-call-start':
      case 'server-tool':
        this.isMixed = true;
        break;
    }
  }

  get endsBlank(): boolean {
    return this.hasBlank || this.#atStart;
  }
}

/** Bytes that may be held back before the first content token: role chunks and block starts are some hundred bytes, more is an attack. */
export const MAX_HELD_BYTES = 1024 * 1024;

export const BLANK_LINE = Buffer.from('\n\n');

/**
 * What the last frame of a finished answer says although it has no blank line: WHATWG does not dispatch it, yet some servers end
 * `[DONE]` so. Nothing where the frame was cut: the answer is whole without it.
 */
export function lastWords(decoder: StreamDecoder, rest: Buffer, { finish }: RelayState): readonly ChatEvent[] {
  if (!finish || rest.length === 0) return [];
  const events = messagesOf(Buffer.concat([rest, BLANK_LINE])).flatMap(message => decoder.push(message));
  return events.some(event => event.kind === 'error') ? [] : events;
}

/** What a stream has said so far. `failure` ends it: nothing after it counts. */
export class RelayState {
  readonly #options: RelayOptions;
  began = false;
  upstreamId: string | undefined;
  model: string | undefined;
  usage: Usage | undefined;
  /** Calls of the provider's own tools, as they were seen. */
  readonly #toolCalls: (readonly [BilledTool, number])[] = [];
  finish: Finish | undefined;
  /** The wire's own terminator was seen. */
  ended = false;
  failure: Failure | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  note(event: ChatEvent): void {
    if (this.failure) return;
    if (isContent(event)) {
      this.began = true;
      // What seemed to be the end of it was not.
      this.finish = undefined;
    }
    switch (event.kind) {
      case 'start':
        this.upstreamId = event.id;
        this.model = event.model;
        break;
      case 'usage':
        this.usage = event.usage;
        break;
      case 'server-tool':
        if (event.billed) this.#toolCalls.push([event.billed, 1]);
        break;
      case 'finish':
        this.finish = event.finish;
        break;
      case 'error':
        this.failure = event.failure;
        break;
      case 'end':
        this.ended = true;
        this.settle();
        break;
    }
  }

  get toolCalls(): ToolCalls | undefined {
    return toolCallsIn(this.#toolCalls).toolCalls;
  }

  /** At the end of the stream: an answer without content is either a verdict of its own, or no answer. */
  settle(): void {
    if (this.began || this.failure) return;
    if (this.finish && this.#options.mayBeEmpty) {
      this.began = true;
      return;
    }
    const withheld = this.finish?.reason === 'content-filter' || this.finish?.reason === 'refusal';
    if (withheld && this.#options.filteredIsFailure) this.failure = failure('content_filtered');
    else if (this.saysSomething()) this.began = true;
    else this.failure = failure('upstream_empty_answer');
  }

  /** A model may spend tokens on nothing visible, or be stopped before it began; a plain `stop` after no token at all is no answer. */
  private saysSomething(): boolean {
    if (!this.finish) return false;
    return this.finish.reason !== 'stop' || (this.usage?.output ?? 0) > 0;
  }

  overflow(): void {
    this.failure ??= failure('upstream_bad_response', {
      message: 'The stream of the provider has too much before its first token.',
    });
  }
}
