// The client's side of an exchange: one answer, whole or streamed, with backpressure, heartbeats and the news that the client left.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { StreamFraming } from '../frontends/frontend.ts';

/** At most this long between two bytes of a stream. */
const HEARTBEAT_MS = 14_000;
/** A client that takes nothing for this long is given up. */
const CLIENT_STALL_MS = 60_000;
/** How long a client may go on sending a body that nobody reads; then its connection is cut. */
const SENDS_ON_MS = 10_000;
const ONE_WRITE_BYTES = 16 * 1024;
/** A comment: all SSE parsers skip it. */
const HEARTBEAT = ': keep-alive\n\n';

export type ClientListener = {
  /** The client closed its connection before its answer was complete. */
  clientLeft(): void;
  /** The client takes bytes again. */
  clientDrained(): void;
};

/**
 * The answers of a connection that are not over yet; more than one where a client asks on before it has its answer. The connection
 * tells them that it is closed, and no answer listens for that itself: a listener on each response kept every eighth byte of dead
 * requests alive through young collections, which was a third of the time of a request (measured, Node 26).
 */
const ANSWERS = Symbol('answers');
type Connection = Socket & { [ANSWERS]?: ClientResponse[] };

function attach(answer: ClientResponse, connection: Connection): void {
  const answers = connection[ANSWERS];
  if (answers?.length === 1 && answers[0]!.isOver) answers[0] = answer;
  else if (answers) connection[ANSWERS] = [...answers.filter(one => !one.isOver), answer];
  else {
    connection[ANSWERS] = [answer];
    connection.once('close', closed);
  }
}

function closed(this: Connection): void {
  for (const answer of this[ANSWERS] ?? []) answer.connectionClosed();
}

export class ClientResponse {
  readonly #res: ServerResponse;
  readonly #framing: StreamFraming | undefined;
  readonly #stallMs: number;
  /** What it writes is not text: nothing can be said between, or after it. */
  #isOpaque = false;
  #lastWrite = 0;
  #timer: NodeJS.Timeout | undefined;
  #stalledSince = 0;
  #listener: ClientListener | undefined;
  status = 0;
  /** The client closed the connection before its answer was complete. */
  gone = false;

  /** @param framing of its stream, where that is not SSE */
  constructor(res: ServerResponse, framing?: StreamFraming, stallMs = CLIENT_STALL_MS) {
    this.#res = res;
    this.#framing = framing;
    this.#stallMs = stallMs;
    attach(this, res.req.socket);
  }

  /** All of it is on its way. */
  get isOver(): boolean {
    return this.#res.writableFinished;
  }

  connectionClosed(): void {
    clearTimeout(this.#timer);
    if (this.isOver || this.gone) return;
    this.gone = true;
    this.#listener?.clientLeft();
  }

  get began(): boolean {
    return this.status !== 0;
  }

  /**
   * At most one: the attempt that runs. Told at once when the client is gone already. An object and not two functions: closures
   * stored here kept a fifth of all dead requests alive through young collections (measured, Node 26).
   */
  set listener(listener: ClientListener | undefined) {
    this.#listener = listener;
    if (this.gone) listener?.clientLeft();
  }

  /** @param headers name, value, name, value, ... */
  whole(status: number, headers: string[], body: Buffer | string): void {
    if (this.gone || this.began) return;
    this.status = status;
    headers.push('content-length', String(Buffer.byteLength(body)));
    this.#res.writeHead(status, headers);
    if (!this.#res.req.complete) return this.#answerEarly(body);
    // As text, a small body leaves in one write together with the head; latin1 carries any byte unchanged.
    if (typeof body !== 'string' && body.length <= ONE_WRITE_BYTES) this.#res.end(body.toString('latin1'), 'latin1');
    else this.#res.end(body);
    this.#untilTaken();
  }

  /** A client that is cut while it sends does not read the answer: it may send on for a while, and nothing of that is kept. */
  #answerEarly(body: Buffer | string): void {
    const { req } = this.#res;
    this.#res.write(body);
    const timer = setTimeout(() => this.#res.destroy(), SENDS_ON_MS);
    req.once('close', () => clearTimeout(timer));
    req.once('end', () => {
      clearTimeout(timer);
      this.#res.end();
      this.#untilTaken();
    });
    req.resume();
  }

  /** Nothing is written any more: who does not take what there is holds memory, and a drain, for nothing. */
  #untilTaken(): void {
    if (this.#res.writableLength > 0) this.#res.setTimeout(this.#stallMs, () => this.#res.destroy());
  }

  startStream(headers: string[]): void {
    if (this.gone || this.began) return;
    this.status = 200;
    const type = this.#framing?.contentType ?? 'text/event-stream; charset=utf-8';
    headers.push('content-type', type, 'cache-control', 'no-cache', 'x-accel-buffering', 'no');
    this.#begin(headers);
  }

  /** An answer that is not ours to speak in: bytes of whatever type the headers name, no signs of life between them. */
  startBytes(headers: string[]): void {
    if (this.gone || this.began) return;
    this.status = 200;
    this.#isOpaque = true;
    this.#begin(headers);
  }

  #begin(headers: string[]): void {
    this.#res.writeHead(200, headers);
    this.#res.on('drain', () => {
      this.#stalledSince = 0;
      this.#listener?.clientDrained();
    });
    this.#lastWrite = performance.now();
    this.#timer = setTimeout(() => this.#beat(), HEARTBEAT_MS);
  }

  /** @returns false: the client is behind, wait for `clientDrained` */
  write(chunk: Buffer | string): boolean {
    if (this.gone) return true;
    return this.#send(this.#framing ? this.#framing.frames(chunk) : chunk);
  }

  #send(chunk: Buffer | string): boolean {
    this.#lastWrite = performance.now();
    const keepsUp = this.#res.write(chunk);
    if (!keepsUp && this.#stalledSince === 0) this.#stalledSince = this.#lastWrite;
    return keepsUp;
  }

  heartbeat(): void {
    if (!this.gone && !this.#isOpaque) this.#send(this.#framing?.heartbeat ?? HEARTBEAT);
  }

  /**
   * Waits, and no shorter: Node's timers fire up to a millisecond early, and a breaker that lets in again then would still refuse the
   * request. false as soon as the client is gone.
   */
  stays(ms: number): Promise<boolean> {
    return new Promise(resolve => {
      const done = (here: boolean) => {
        clearTimeout(timer);
        this.#listener = undefined;
        resolve(here);
      };
      const timer = setTimeout(() => done(true), ms + 1);
      this.listener = { clientLeft: () => done(false), clientDrained: () => {} };
    });
  }

  endStream(): void {
    clearTimeout(this.#timer);
    this.#res.end(this.#framing?.end());
    this.#untilTaken();
  }

  /** Ends a stream so that no client can take it for a complete one: the error in its own dialect, then no final chunk. */
  breakOff(error: string): void {
    clearTimeout(this.#timer);
    if (this.#isOpaque) return void this.#res.destroy();
    this.#res.write(this.#framing?.frames(error) ?? error, () => this.#res.destroy());
    this.#untilTaken();
  }

  /** One timer per stream, set again only when it fires: a write costs no timer operation. */
  #beat(): void {
    const now = performance.now();
    if (this.#stalledSince !== 0 && now - this.#stalledSince > this.#stallMs) {
      this.#res.destroy();
      return;
    }
    let quiet = now - this.#lastWrite;
    if (quiet >= HEARTBEAT_MS && this.#stalledSince === 0) {
      this.heartbeat();
      quiet = 0;
    }
    this.#timer = setTimeout(() => this.#beat(), Math.max(100, HEARTBEAT_MS - quiet));
  }
}
