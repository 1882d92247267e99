// What an upstream answers, kept beside what goes to the client: for who judges an answer before it is served, and for the cache. It
// costs a copy of the bytes; they are read when somebody asks what they say.
import { fold } from '#core/chat/fold.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import { messagesOf } from './http/sse.ts';
import type { Prepared } from './prepare.ts';
import type { Provider, Target } from './providers/provider.ts';
import type { Relay } from './relay/relay.ts';

/** Memory that many share. */
export type Allowance = { held: number; readonly max: number };

export class Overheard {
  #provider: Provider | undefined;
  #model: Target['model'] | undefined;
  /** As the upstream sent it: whole, or the frames of a stream. */
  #whole: Buffer | undefined;
  readonly #frames: Pile;
  /** It had parts that only its own dialect knows. Known once it was read. */
  hasMore = false;

  /** @param allowance what all of them together may hold; absent: each by itself */
  constructor(maxBytes: number, allowance?: Allowance) {
    this.#frames = new Pile(maxBytes, allowance);
  }

  /** The same attempt, with an ear at what comes from the upstream. */
  at(prepared: Prepared): Prepared {
    this.#provider = prepared.chat;
    this.#model = prepared.target.model;
    return {
      ...prepared,
      read: (bytes, headers) => {
        this.#whole = bytes;
        return prepared.read(bytes, headers);
      },
      relay: prepared.relay && this.#atStream(prepared.relay),
    };
  }

  #atStream(relay: Relay): Relay {
    return {
      ...relay,
      push: block => {
        this.#frames.add(block);
        return relay.push(block);
      },
    };
  }

  /** It is more than may be kept. */
  get isTooLarge(): boolean {
    return this.#frames.isTooLarge;
  }

  /** What it says; undefined: it is too large, or cannot be read. */
  reply(): ChatReply | undefined {
    if (!this.#provider || this.#frames.isTooLarge) return undefined;
    if (!this.#whole) return this.#streamed(this.#provider);
    const body: unknown = JSON.parse(this.#whole.toString());
    this.hasMore = this.#provider.leavesOut(body);
    const decoded = this.#provider.decodeReply(body, this.#model);
    return decoded.ok ? decoded.value : undefined;
  }

  #streamed(provider: Provider): ChatReply {
    const decoder = provider.streamDecoder(undefined, this.#model);
    const events = messagesOf(this.#frames.all()).flatMap(message => decoder.push(message));
    const { reply } = fold([...events, ...decoder.close()]);
    this.hasMore = decoder.leftOut?.() === true;
    return reply;
  }

  /** It is of no use any more. */
  forget(): void {
    this.#frames.clear();
    this.#whole = undefined;
  }
}

/** Copies, as the memory of what comes by is used again. Beyond its bound nothing is kept. */
export class Pile {
  readonly #max: number;
  readonly #allowance: Allowance | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;
  isTooLarge = false;

  constructor(maxBytes: number, allowance?: Allowance) {
    this.#max = maxBytes;
    this.#allowance = allowance;
  }

  add(part: Buffer | string): void {
    if (this.isTooLarge) return;
    const copy = Buffer.from(part as string);
    this.#bytes += copy.length;
    if (this.#allowance) this.#allowance.held += copy.length;
    this.#parts.push(copy);
    this.isTooLarge = this.#bytes > this.#max || (this.#allowance !== undefined && this.#allowance.held > this.#allowance.max);
    if (this.isTooLarge) this.clear();
  }

  all(): Buffer {
    return Buffer.concat(this.#parts);
  }

  clear(): void {
    this.#parts = [];
    if (this.#allowance) this.#allowance.held -= this.#bytes;
    this.#bytes = 0;
  }
}
