// The answer of an attempt, kept from the client until somebody has said that it may be served: then the client gets the same bytes, a
// stream as a stream.
import type { ChatReply } from '#core/chat/reply.ts';
import { editObject } from '#core/json/edit.ts';
import { scanObject } from '#core/json/scan.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import type { HttpHeaders } from '#platform/http-client.ts';
import type { ClientSide, WholeReply } from './attempt.ts';
import type { ClientResponse } from './http/client-response.ts';
import { framesOf, type SseFrame } from './http/sse.ts';
import { SCAN_LIMITS } from './open.ts';
import { Overheard, Pile } from './overheard.ts';
import type { Prepared } from './prepare.ts';
import type { Confidence } from './providers/provider.ts';

/** Of a stream, in either dialect. What is longer is not looked at, and so not served. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/** Who may leave meanwhile. */
type Client = Pick<ClientResponse, 'gone' | 'listener'>;

export class HeldAnswer implements ClientSide {
  readonly #client: Client;
  readonly #model: ModelEntry;
  /** The log probabilities of its tokens are asked for. */
  readonly #wantsConfidence: boolean;
  /** It tells more than the client asked for. */
  #untold: Confidence['untold'] | undefined;
  readonly #upstream = new Overheard(MAX_HELD_BYTES);
  /** As the client would get it. */
  readonly #out = new Pile(MAX_HELD_BYTES);
  upstreamHeaders: HttpHeaders = {};

  constructor(client: Client, model: ModelEntry, wantsConfidence: boolean) {
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
    const heard = this.#upstream.at(prepared);
    return {
      ...heard,
      request: this.#wantsConfidence ? this.#asking(prepared) : prepared.request,
      // Nothing has reached the client that another one would have to go on with.
      relay: heard.relay && { ...heard.relay, spoken: () => undefined },
    };
  }

  #asking({ chat, request }: Prepared): Prepared['request'] {
    const confidence = chat?.confidence;
    if (!confidence || request.body === null) return request;
    const body = scanObject(Buffer.from(request.body), SCAN_LIMITS);
    const edits = body.ok ? confidence.asking(body.value, this.#model) : undefined;
    if (!body.ok || !edits || edits.size === 0) return request;
    this.#untold = confidence.untold;
    return { ...request, body: editObject(body.value, edits) };
  }

  // ------------------------------------------------------------ when it is there

  /** What it says; undefined: it is too large, or cannot be read. */
  reply(): ChatReply | undefined {
    return this.#out.isTooLarge ? undefined : this.#upstream.reply();
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
