// The last stage, when no backend is left: a stale answer of the cache, in the client's dialect, where the route wants one and there is one.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChatReply } from '#core/chat/reply.ts';
import { noUsage } from '#core/chat/usage.ts';
import { failure } from '#core/failure.ts';
import { aCandidate } from '#core/plan/testing.ts';
import { aRoute } from '#core/snapshot/testing.ts';
import { millis, tokens } from '#core/units.ts';
import { frontends } from '#test/support/relays.ts';
import { answerText, isTerminated } from '#test/support/sse.ts';
import { answerLast } from './last-stage.ts';
import type { Ports } from './ports.ts';
import type { Trip } from './trip.ts';
import type { CacheVisit, KeptAnswer } from './visit.ts';

const reply: ChatReply = {
  id: 'kept-1',
  model: 'm',
  parts: [{ kind: 'text', text: 'As I said yesterday.' }],
  finish: { reason: 'stop' },
  usage: { ...noUsage, output: tokens(5) },
};

function stage({
  stream = false,
  kept,
  frontend,
}: {
  stream?: boolean;
  kept: ChatReply | undefined;
  frontend: (typeof frontends)[number];
}) {
  const told = { status: 0, head: [] as string[], text: '', ended: false };
  const client = {
    began: false,
    whole(status: number, head: string[], body: string) {
      Object.assign(told, { status, head, text: body, ended: true });
    },
    startStream(head: string[]) {
      Object.assign(told, { status: 200, head });
    },
    write(piece: string) {
      told.text += piece;
      return true;
    },
    stays: async () => true,
    endStream() {
      told.ended = true;
    },
  };
  const candidate = aCandidate('a');
  const route = aRoute('r', { catchAllAnswer: { staleCache: true, status: 503 } });
  const stale: KeptAnswer | undefined = kept && {
    reply: kept,
    provider: 'gone',
    model: 'm',
    key: 'entry-1',
    similarity: 1,
    tier: 'exact',
  };
  const plan = { route, candidates: [candidate], excluded: [] };
  const trip = {
    exchange: { client, frontend, id: 'r-1', action: 'generate', startedAt: 0 },
    call: {
      plan,
      envelope: { stream, includeUsage: true, model: 'm', controls: {} },
      config: { snapshot: { providers: {} } },
      key: { entry: { exposeSimilarity: false } },
      tags: {},
    },
    plan,
    visit: { stale } as CacheVisit,
    isFirst: () => ({}),
    candidate,
    attempts: 1,
    fallbacks: 0,
    dropped: [],
    upstreamMs: 0,
    hold: { limits: [], coverFree: async () => undefined },
  } as unknown as Trip;
  const ports = {
    now: () => 0,
    monotonic: () => 1,
    costLog: { record: () => true },
    observer: { attempted: () => {} },
  } as unknown as Ports;
  return { told, answer: (reason: Parameters<typeof failure>[0]) => answerLast(trip, failure(reason), millis(4000), ports) };
}
const headerOf = (head: readonly string[], name: string) => head[head.indexOf(name) + 1];

for (const frontend of frontends)
  describe(`the last stage for ${frontend.dialect}`, () => {
    test('is an answer that has expired, whole', async () => {
      const { told, answer } = stage({ kept: reply, frontend });
      await answer('upstream_error');
      assert.equal(told.status, 200);
      assert.match(told.text, /As I said yesterday\./);
      assert.equal(headerOf(told.head, 'x-tollgate-cache'), 'stale');
    });

    test('is an answer that has expired, streamed', async () => {
      const { told, answer } = stage({ stream: true, kept: reply, frontend });
      await answer('circuit_open');
      assert.equal(answerText(told.text), 'As I said yesterday.');
      assert.ok(isTerminated(told.text) && told.ended);
    });

    test('is the failure where there is no such answer, with the time of the first recovery', async () => {
      const { told, answer } = stage({ kept: undefined, frontend });
      await answer('circuit_open');
      assert.equal(told.status, 503);
      assert.equal(headerOf(told.head, 'retry-after'), '4');
    });

    test('is no old answer to a request that is at fault itself', async () => {
      const { told, answer } = stage({ kept: reply, frontend });
      await answer('upstream_invalid_request');
      assert.equal(told.status, 400);
    });
  });
