// Lets a leader's writes through, and nobody else's. The question is asked once more when a request is about to leave this process:
// one that waited for a connection, or in a process that stood still, is not sent after its term.
import type { Connection, KubeRequest } from '#platform/kube/connection.ts';
import type { Term } from './lease.ts';

/** A write was asked for outside the term. */
export class NotLeading extends Error {
  override readonly name = 'NotLeading';
}

/** The same connection for reads; writes are of the term only. Closing it is up to whoever opened it. */
export function fenced(connection: Connection, term: Term): Connection {
  /** A caller that gives up does not end its write: what has left may be carried out, and the term's end waits to know. */
  const written = <T>(request: KubeRequest, send: (guarded: KubeRequest) => Promise<T>): Promise<T> => {
    if (!term.holds()) throw new NotLeading(`${request.method} after the end of the term`);
    const sent = send({ ...request, signal: term.lost, mayLeave: () => term.holds() });
    term.underWay(sent);
    return request.signal ? unlessAborted(sent, request.signal) : sent;
  };
  return {
    call: async <T>(request: KubeRequest): Promise<T> =>
      request.method === 'GET' ? connection.call<T>(request) : written(request, guarded => connection.call<T>(guarded)),
    stream: request => connection.stream(request),
    close: async () => {},
  };
}

function unlessAborted<T>(sent: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const giveUp = (): void => reject(signal.reason);
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  sent.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  return promise;
}
