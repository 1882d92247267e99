// Who may write: a leader, up to the moment at which a request leaves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, KubeRequest } from '#platform/kube/connection.ts';
import { fenced, NotLeading } from './fence.ts';
import type { Term } from './lease.ts';

function termOf(): Term & { end(): void; lose(): void; readonly writes: Promise<unknown>[] } {
  const [end, lost] = [new AbortController(), new AbortController()];
  const writes: Promise<unknown>[] = [];
  return {
    end: () => end.abort(),
    lose: () => lost.abort(),
    holds: () => !end.signal.aborted,
    signal: end.signal,
    lost: lost.signal,
    underWay: write => void writes.push(write),
    writes,
  };
}

function recording(): { connection: Connection; sent: KubeRequest[] } {
  const sent: KubeRequest[] = [];
  const call = async <T>(request: KubeRequest): Promise<T> => {
    sent.push(request);
    return undefined as T;
  };
  return { sent, connection: { call, stream: async () => (async function* () {})(), close: async () => {} } };
}

test('reads pass at any time, writes only while the term holds', async () => {
  const term = termOf();
  const { connection, sent } = recording();
  const client = fenced(connection, term);
  await client.call({ method: 'PUT', path: '/a' });
  term.end();
  await client.call({ method: 'GET', path: '/a' });
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
    await assert.rejects(client.call({ method, path: '/a' }), NotLeading);
  assert.deepEqual(
    sent.map(({ method }) => method),
    ['PUT', 'GET'],
  );
});

test('a write that has not left when the term ends may not leave any more', async () => {
  const term = termOf();
  const { connection, sent } = recording();
  await fenced(connection, term).call({ method: 'PUT', path: '/a' });
  const [{ mayLeave, signal }] = sent as [KubeRequest];
  assert.equal(mayLeave!(), true);
  term.end();
  assert.equal(mayLeave!(), false);
  assert.equal(signal!.aborted, false, 'a term that is given up waits for its writes');
  term.lose();
  assert.equal(signal!.aborted, true);
});

test('a caller may give up waiting for a write, and the term still knows of it', async () => {
  const term = termOf();
  const answer = Promise.withResolvers<never>();
  const { connection } = recording();
  const caller = new AbortController();
  const client = fenced({ ...connection, call: () => answer.promise }, term);
  const call = client.call({ method: 'PUT', path: '/a', signal: caller.signal });
  caller.abort(new Error('no time'));
  await assert.rejects(call, /no time/);
  assert.equal(term.writes.length, 1);
});
