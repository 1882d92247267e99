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
  const guarded = (request: KubeRequest): KubeRequest => {
    if (request.method === 'GET') return request;
    if (!term.holds()) throw new NotLeading(`${request.method} after the end of the term`);
    const signal = request.signal ? AbortSignal.any([request.signal, term.signal]) : term.signal;
    return { ...request, signal, mayLeave: () => term.holds() };
  };
  return {
    call: async request => connection.call(guarded(request)),
    stream: async request => connection.stream(guarded(request)),
    close: async () => {},
  };
}
