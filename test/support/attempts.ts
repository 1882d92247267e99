// Runs one streamed attempt against scripted bytes, without sockets: what an upstream sends in pieces, and what the client gets.
import { type AttemptResult, runAttempt } from '#dataplane/attempt.ts';
import type { ClientResponse } from '#dataplane/http/client-response.ts';
import type { Relay } from '#dataplane/relay/relay.ts';
import type { HttpHandler } from '#platform/http-client.ts';

export type Script = {
  readonly chunks: readonly Buffer[];
  /** How the upstream's connection ends. */
  readonly end?: 'end' | 'reset';
};

export type Delivered = {
  /** All that was written to the client before the attempt was over. */
  readonly text: string;
  /** The client's body was ended as that of a good answer. */
  readonly isEnded: boolean;
  readonly result: AttemptResult;
};

const minute = 60_000 as never;

export async function deliver(relay: Relay, { chunks, end = 'end' }: Script): Promise<Delivered> {
  const written: Buffer[] = [];
  let isEnded = false;
  const client = {
    gone: false,
    began: true,
    listener: undefined,
    write(piece: Buffer | string) {
      // A copy: the gateway may use the memory of what it gave out again.
      written.push(Buffer.from(piece as string));
      return true;
    },
    endStream() {
      isEnded = true;
    },
  } as unknown as ClientResponse;
  const result = await runAttempt({
    http: { send: (_, handler) => play(handler, chunks, end), close: async () => {} },
    request: { method: 'POST', origin: 'http://upstream', path: '/', headers: {}, body: null, connectTimeoutMs: 1 },
    limits: { firstToken: minute, streamIdle: minute, request: minute },
    client,
    stream: { relay, framing: undefined, begin: () => {} },
    read: () => {
      throw new Error('a stream is not read as a whole');
    },
    classify: () => {
      throw new Error('a stream has no error status');
    },
    mayDrain: () => false,
    now: () => 0,
    monotonic: () => 0,
  });
  return { text: Buffer.concat(written).toString(), isEnded, result };
}

function play(handler: HttpHandler, chunks: readonly Buffer[], end: 'end' | 'reset') {
  let isAborted = false;
  queueMicrotask(() => {
    handler.onHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks) if (!isAborted) handler.onData(chunk);
    if (isAborted) return;
    if (end === 'end') handler.onEnd();
    else handler.onError({ kind: 'reset', code: 'ECONNRESET' });
  });
  return {
    abort: () => {
      isAborted = true;
    },
    pause: () => {},
    resume: () => {},
  };
}
