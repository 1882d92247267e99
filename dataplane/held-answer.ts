// The answer of an attempt, kept from the client until somebody has said that it may be served: then the client gets the same bytes, a
// stream as a stream.
import { fold } from '#core/chat/fold.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import { editObject } from '#core/json/edit.ts';
import { scanObject } from '#core/json/scan.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import type { HttpHeaders } from '#platform/http-client.ts';
import type { ClientSide, WholeReply } from './attempt.ts';
import type { ClientResponse } from './http/client-response.ts';
import { framesOf, messagesOf, type SseFrame } from './http/sse.ts';
import { SCAN_LIMITS } from './open.ts';
import type { Prepared } from './prepare.ts';
import type { Confidence, Provider } from './providers/provider.ts';
import type { Relay } from './relay/relay.ts';

/** Of a stream, in either dialect. What is longer is not looked at, and so not served. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

export class HeldAnswer implements ClientSide {
  readonly #client: ClientResponse;
  readonly #model: ModelEntry;
  /** The log probabilities of its tokens are asked for. */
  readonly #wantsConfidence: boolean;
  #provider: Provider | undefined;
  /** It tells more than the client asked for. */
  #untold: Confidence['untold'] | undefined;
  /** As the upstream sent it: whole, or the frames of a stream. */
  #whole: Buffer | undefined;
  #frames = new Pile();
  /** As the client would get it. */
  #out = new Pile();
  upstreamHeaders: HttpHeaders = {};

  constructor(client: ClientResponse, model: ModelEntry, wantsConfidence: boolean) {
    this.#client = client;
    this.#model = model;
    this.#wantsConfidence = wantsConfidence;
  }

  // ------------------------------------------------------------ in place of the client

  get began(): boolean {
    return false;
  }

  get gone(): boolean {
    return this.#client.gone;
  }

  get listener(): ClientResponse['listener'] {
    return this.#client.listener;
  }

  set listener(listener: ClientResponse['listener']) {
    this.#client.listener = listener;
  }

  write(chunk: Buffer | string): boolean {
    this.#out.add(chunk);
    return true;
  }

  endStream(): void {}

  // ------------------------------------------------------------ beside the attempt

  /** The same attempt, with an ear at what comes from the upstream. */
  prepared(prepared: Prepared): Prepared {
    this.#provider = prepared.provider;
    return {
      ...prepared,
      request: this.#wantsConfidence ? this.#asking(prepared) : prepared.request,
      read: bytes => {
        this.#whole = bytes;
        return prepared.read(bytes);
      },
      relay: prepared.relay && this.#overheard(prepared.relay),
    };
  }

  #asking({ provider, request }: Prepared): Prepared['request'] {
    const { confidence } = provider;
    if (!confidence || request.body === null) return request;
    const body = scanObject(Buffer.from(request.body), SCAN_LIMITS);
    const edits = body.ok ? confidence.asking(body.value, this.#model) : undefined;
    if (!body.ok || !edits || edits.size === 0) return request;
    this.#untold = confidence.untold;
    return { ...request, body: editObject(body.value, edits) };
  }

  #overheard(relay: Relay): Relay {
    return {
      ...relay,
      push: block => {
        this.#frames.add(block);
        return relay.push(block);
      },
      spoken: () => undefined,
    };
  }

  // ------------------------------------------------------------ when it is there

  /** What it says; undefined: it is too large, or cannot be read. */
  reply(): ChatReply | undefined {
    if (!this.#provider || this.#frames.isTooLarge || this.#out.isTooLarge) return undefined;
    if (!this.#whole) return this.#streamed(this.#provider);
    const decoded = this.#provider.decodeReply(JSON.parse(this.#whole.toString()));
    return decoded.ok ? decoded.value : undefined;
  }

  #streamed(provider: Provider): ChatReply {
    const decoder = provider.streamDecoder();
    const events = messagesOf(this.#frames.all()).flatMap(message => decoder.push(message));
    return fold([...events, ...decoder.close()]).reply;
  }

  /** A stream's bytes for the client. */
  stream(): Buffer {
    const all = this.#out.all();
    const untold = this.#untold;
    return untold ? Buffer.concat(framesOf(all).map(frame => without(frame, untold))) : all;
  }

  whole(reply: WholeReply): WholeReply {
    return this.#untold ? { ...reply, body: this.#untold(reply.body.toString()) } : reply;
  }
}

function without({ raw, message }: SseFrame, untold: Confidence['untold']): Buffer {
  const data = message && untold(message.data);
  if (!message || data === message.data) return raw;
  return Buffer.from(`${message.event ? `event: ${message.event}\n` : ''}data: ${data}\n\n`);
}

/** Copies, as the memory of what comes by is used again. Beyond its bound nothing is kept. */
class Pile {
  #parts: Buffer[] = [];
  #bytes = 0;

  add(part: Buffer | string): void {
    this.#bytes += part.length;
    if (this.isTooLarge) this.#parts = [];
    else this.#parts.push(Buffer.from(part as string));
  }

  get isTooLarge(): boolean {
    return this.#bytes > MAX_HELD_BYTES;
  }

  all(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
