// The body of a form on its way from a client to a provider: held until what decides about it has arrived, then passed on as fast as the
// provider takes it. It is in memory once at most, and read once: who has begun to send it on cannot send it again.
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { type Failure, failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { kindOfField } from '../frontends/references.ts';
import type { BodyBudget } from '../http/listener.ts';
import { BatchScan } from './batch.ts';
import { MultipartReader, type Span } from './multipart.ts';

/** Other bytes for a part of the body. */
export type Splice = { readonly at: Span; readonly text: string };

export type FormBounds = {
  readonly maxBytes: number;
  readonly budget: BodyBudget;
  /** What must have arrived before anything is decided: the field that names the model, all of it, or nothing. */
  readonly until: 'model' | 'end' | 'start';
  /** A file in it may be one of requests, for a batch. */
  readonly mayBeBatch?: boolean;
};

export class FormBody {
  readonly reader: MultipartReader;
  /** As the client sent it. */
  readonly contentType: string;
  /** As declared; absent: the client does not say. */
  readonly size: number | undefined;
  /** What was wrong with what arrived. */
  failure: Failure | undefined;
  readonly #req: IncomingMessage;
  readonly #bounds: FormBounds;
  readonly #scan: BatchScan | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #bytes = 0;
  #isRead = false;
  #isTaken = false;
  #isDropped = false;
  /** Ends the wait for the next piece. */
  #giveUp: (() => void) | undefined;

  constructor(req: IncomingMessage, boundary: string, bounds: FormBounds) {
    this.contentType = req.headers['content-type'] ?? '';
    const declared = Number(req.headers['content-length']);
    this.size = Number.isSafeInteger(declared) ? declared : undefined;
    if (bounds.mayBeBatch) this.#scan = new BatchScan();
    const mayHave = (name: string) => bounds.until === 'end' || kindOfField(name) === undefined;
    this.reader = new MultipartReader(boundary, { mayHave, file: bytes => this.#scan?.push(bytes) });
    this.#bounds = bounds;
    this.#req = req;
  }

  /** What the file in it holds, once it is whole. */
  batchFile(): Readonly<Record<string, unknown>> | undefined {
    if (!this.isWhole || !this.#scan) return undefined;
    const isOne = this.reader.files === 1 && !this.reader.fields.has('file');
    return isOne ? this.#scan.result() : { problem: 'it came in a form with more than one file' };
  }

  /** All of it has arrived, and its end is what ends a form. */
  get isWhole(): boolean {
    return this.#isRead && this.reader.isWhole;
  }

  /** Resolves once what decides is there. */
  async arrived(): Promise<Parsed<undefined>> {
    const { budget, maxBytes } = this.#bounds;
    if (this.size !== undefined && this.size > maxBytes) return this.#refused(tooLarge(maxBytes));
    while (!this.#isDecided()) {
      const chunk = await this.#next();
      if (!chunk.ok) return this.#refused(chunk.failure);
      if (!chunk.value) break;
      this.#held.push(chunk.value);
      this.#heldBytes += chunk.value.length;
      budget.held += chunk.value.length;
      if (budget.held > budget.max)
        return this.#refused(failure('no_backend', { message: 'The gateway holds as many request bodies as it can.' }));
    }
    return ok(undefined);
  }

  /** @returns undefined: it is on its way already */
  stream(splice: Splice | undefined): Readable | undefined {
    if (this.#isTaken || this.#isDropped) return undefined;
    const stream = Readable.from(this.#pieces(splice), { objectMode: false });
    // At once where its reader has failed, while a client may take its time.
    stream.once('close', () => this.#isTaken && this.drop());
    return stream;
  }

  /** What `stream` has, in bytes; undefined: the client did not say. */
  sizeWith(splice: Splice | undefined): number | undefined {
    if (this.size === undefined || !splice) return this.size;
    return this.size - (splice.at.end - splice.at.start) + Buffer.byteLength(splice.text);
  }

  /** Nobody wants the rest of it. What is left unread would stand before the next request of the connection. */
  drop(): void {
    this.#isDropped = true;
    this.#release();
    this.#giveUp?.();
    this.#req.resume();
  }

  #isDecided(): boolean {
    const { until } = this.#bounds;
    return until === 'start' || (until === 'model' && this.reader.fields.has('model'));
  }

  /** undefined: that was all. */
  async #next(): Promise<Parsed<Buffer | undefined>> {
    const { maxBytes } = this.#bounds;
    const read = await this.#piece();
    if (read === 'left') return refuse('client_closed');
    if (read === 'end') {
      this.#isRead = true;
      return this.reader.isWhole ? ok(undefined) : refuse('invalid_request', { message: notAForm('its end is missing') });
    }
    this.#bytes += read.length;
    if (this.#bytes > maxBytes) return { ok: false, failure: tooLarge(maxBytes) };
    const objection = this.reader.push(read);
    return objection === undefined ? ok(read) : refuse('invalid_request', { message: notAForm(objection) });
  }

  /** Listens for one piece and no longer: the request flows on by itself for who wants it gone. */
  #piece(): Promise<Buffer | 'end' | 'left'> {
    const req = this.#req;
    if (req.readableEnded) return Promise.resolve('end');
    if (req.destroyed || this.#isDropped) return Promise.resolve('left');
    return new Promise(resolve => {
      const done = (piece: Buffer | 'end' | 'left') => {
        req.off('data', onData);
        req.off('end', onEnd);
        req.off('close', onClose);
        this.#giveUp = undefined;
        resolve(piece);
      };
      const onData = (piece: Buffer) => {
        req.pause();
        done(piece);
      };
      const onEnd = () => done('end');
      const onClose = () => done('left');
      this.#giveUp = onClose;
      req.on('data', onData);
      req.on('end', onEnd);
      req.on('close', onClose);
      req.resume();
    });
  }

  async *#pieces(splice: Splice | undefined): AsyncGenerator<Buffer> {
    this.#isTaken = true;
    try {
      const held = this.#held;
      yield* spliced(held, splice);
      this.#release();
      for (;;) {
        const chunk = this.#isRead ? ok(undefined) : await this.#next();
        if (!chunk.ok) throw new Error(this.#isDropped ? 'dropped' : this.#noted(chunk.failure).class);
        if (!chunk.value) return;
        yield chunk.value;
      }
    } finally {
      this.drop();
    }
  }

  #refused(reason: Failure): { ok: false; failure: Failure } {
    this.drop();
    return { ok: false, failure: this.#noted(reason) };
  }

  #noted(reason: Failure): Failure {
    this.failure ??= reason;
    return reason;
  }

  #release(): void {
    this.#bounds.budget.held -= this.#heldBytes;
    this.#heldBytes = 0;
    this.#held = [];
  }
}

const tooLarge = (maxBytes: number): Failure =>
  failure('body_too_large', { message: `The request body is larger than ${maxBytes} bytes.` });

const notAForm = (objection: string): string => `The request body is not a valid form: ${objection}.`;

function* spliced(chunks: readonly Buffer[], splice: Splice | undefined): Generator<Buffer> {
  let at = 0;
  for (const chunk of chunks) {
    const end = at + chunk.length;
    if (!splice || end <= splice.at.start || at >= splice.at.end) yield chunk;
    else {
      const before = chunk.subarray(0, Math.max(0, splice.at.start - at));
      const after = chunk.subarray(Math.max(0, splice.at.end - at));
      if (before.length > 0) yield before;
      if (end >= splice.at.end) yield Buffer.from(splice.text);
      if (after.length > 0) yield after;
    }
    at = end;
  }
}
