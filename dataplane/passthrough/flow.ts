// An answer that flows to the client as it comes. Of events it is told whether they came to their end, and what they cost; of bytes, nothing.
import type { Usage } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { HttpHeaders } from '#platform/http-client.ts';
import { messagesOf, SseBlocks } from '../http/sse.ts';

/** A picture in base64, in one event. */
const EVENT_BYTES_MAX = 32 * 1024 * 1024;

const typeOf = (headers: HttpHeaders): string => String(headers['content-type'] ?? '').toLowerCase();

export const isEventStream = (headers: HttpHeaders): boolean => typeOf(headers).startsWith('text/event-stream');

export type FlowFacts = {
  /** Whatever it is, nobody reads it: the content of a file. */
  readonly isContent: boolean;
  readonly usageIn: (event: JsonRecord) => Usage | undefined;
  /** Of bytes that came to their end. */
  readonly usageOfBytes: Usage | undefined;
  readonly failed: (body: string) => Failure;
};

export class PassedFlow {
  readonly #facts: FlowFacts;
  #events: SseBlocks | undefined;
  #usage: Usage | undefined;
  #isOver = false;

  constructor(facts: FlowFacts) {
    this.#facts = facts;
  }

  takes(headers: HttpHeaders): boolean {
    if (!this.#facts.isContent && isEventStream(headers)) this.#events = new SseBlocks(EVENT_BYTES_MAX);
    const type = typeOf(headers);
    return this.#facts.isContent || !(type.startsWith('application/json') || type.startsWith('text/html') || type === '');
  }

  push(chunk: Buffer): Failure | undefined {
    const block = this.#events?.push(chunk);
    if (block === 'too-long') return failure('upstream_bad_response', { message: 'An event of the stream is too long.' });
    if (!block) return undefined;
    for (const { event, data } of messagesOf(block)) {
      const wrong = this.#look(event, data);
      if (wrong) return wrong;
    }
    return undefined;
  }

  close(): Failure | undefined {
    if (!this.#events) this.#usage = this.#facts.usageOfBytes;
    return this.#events && !this.#isOver ? failure('upstream_stream_truncated', { possiblyBilled: true }) : undefined;
  }

  told() {
    return { usage: this.#usage, model: undefined, upstreamId: undefined };
  }

  /** Only events that may tell something are parsed: others are pictures. */
  #look(event: string, data: string): Failure | undefined {
    if (data === '[DONE]') this.#isOver = true;
    if (!NOTABLE.test(event) && !NOTABLE.test(data.slice(0, HEAD)) && !data.includes('"usage"')) return undefined;
    const told = parseRecord(data);
    if (!told) return undefined;
    const type = typeof told.type === 'string' ? told.type : event;
    if (type === 'error' || isRecord(told.error)) return this.#facts.failed(data);
    this.#usage = this.#facts.usageIn(told) ?? this.#usage;
    if (/\.(?:done|completed)$/.test(type)) this.#isOver = true;
    return undefined;
  }
}

const HEAD = 256;
const NOTABLE = /\.done\b|\.completed\b|error/;
