// One of many goes upstream: in one process, over two that share a Redis, when the one dies, and without Redis.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { millis } from '#core/units.ts';
import { connectRedis } from '#platform/redis.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until, within } from '#test/support/until.ts';
import { redisLocks } from './locks.ts';
import { openCache } from './open-cache.ts';
import { type Flights, flightOf, singleFlight } from './single-flight.ts';
import type { Turn } from './store.ts';
import { anAnswer, anEntry } from './testing.ts';

const LONG = millis(20_000);
const enter = (flights: Flights, patience = LONG): Promise<Turn> => flights.enter('acme', 'f', patience);
const leadOf = (turn: Turn) => {
  assert.equal(turn.kind, 'lead');
  return (turn as Extract<Turn, { kind: 'lead' }>).lead;
};
const kinds = async (turns: readonly Promise<Turn>[]) =>
  (await within(15_000, 'all turns', Promise.all(turns))).map(({ kind }) => kind);

test('in one process one leads, the others learn how it went, and the next leads again', async () => {
  const flights = singleFlight();
  for (const [stored, told] of [
    [true, 'stored'],
    [false, 'alone'],
  ] as const) {
    const lead = leadOf(await enter(flights));
    const others = [enter(flights), enter(flights)];
    assert.equal(await flights.tryLead('acme', 'f'), undefined);
    lead.end(stored);
    lead.end(!stored);
    assert.deepEqual(await kinds(others), [told, told]);
  }
  const [one, other] = [await flights.tryLead('acme', 'f'), await flights.tryLead('acme', 'g')];
  assert.ok(one && other, 'two flights are two');
});

test('a leader whose client leaves is followed by one of those who wait, the others wait on', async () => {
  const flights = singleFlight();
  const lead = leadOf(await enter(flights));
  const [second, third] = [enter(flights), enter(flights)];
  lead.passOn();
  lead.end(true);
  const next = leadOf(await second);
  next.end(true);
  assert.equal((await third).kind, 'stored');
  leadOf(await enter(flights)).passOn();
  leadOf(await enter(flights)).end(false);
});

test('who has waited long enough goes alone; the others wait on', async () => {
  const flights = singleFlight();
  const lead = leadOf(await enter(flights));
  const [hasty, patient] = [enter(flights, millis(1)), enter(flights)];
  assert.equal((await hasty).kind, 'alone');
  lead.end(true);
  assert.equal((await patient).kind, 'stored');
});

if (withoutRedis) test('over processes', { skip: withoutRedis });
else {
  const server = await startRedis();
  const log = { warn: () => undefined, info: () => undefined } as never;
  const links = [0, 1].map(() => connectRedis({ url: server.url, log, commandTimeoutMs: 2000 }));
  await until('the connections are up', () => links.every(link => link.state().kind === 'up'));
  after(async () => {
    for (const link of links) await link.close();
    await server.stop();
  });
  beforeEach(() => server.client.flushall());
  const two = (ttlMs: number) => links.map(link => singleFlight(redisLocks(link, ttlMs))) as [Flights, Flights];

  test('of 50 requests over two processes one goes upstream, and all have its answer', async () => {
    const caches = await Promise.all(
      links.map(link =>
        openCache({ redis: { url: server.url, timeoutMs: 2000, link }, log, maxBytes: 1e6, maxIndexBytes: 1e6, now: Date.now }),
      ),
    );
    await until('the logs are read', () => caches.every(({ store }) => !store.stats().isAway));
    const made = anEntry('Hello');
    let upstream = 0;
    const ask = async (i: number): Promise<string> => {
      const { store, flights } = caches[i % 2]!;
      const turn = await flights.enter(made.tenant, flightOf(made), LONG);
      if (turn.kind === 'lead') {
        upstream += 1;
        await delay(100);
        turn.lead.end((await store.put(made, anAnswer(`answer ${i}`))) !== undefined);
      }
      const entry = store.exact(made.partition, made.key);
      const part = entry && (await store.answer(entry))?.reply.parts[0];
      return part?.kind === 'text' ? part.text : `none (${turn.kind})`;
    };
    const answers = await within(15_000, 'all answers', Promise.all(Array.from({ length: 50 }, (_, i) => ask(i))));
    assert.deepEqual([upstream, new Set(answers).size], [1, 1]);
    assert.match(answers[0]!, /^answer/);
    for (const { store, flights } of caches) {
      flights.close();
      await store.close();
    }
  });

  test('when there is nothing to share, one of the other process leads there', async () => {
    const [one, other] = two(3000);
    const lead = leadOf(await enter(one));
    const waiting = [enter(other), enter(other)];
    await delay(100);
    lead.end(false);
    const next = leadOf(await within(5000, 'another leads', Promise.race(waiting)));
    next.end(false);
    assert.deepEqual((await kinds(waiting)).sort(), ['alone', 'lead']);
  });

  test('a leader that takes longer than its lock keeps it', async () => {
    const [one, other] = two(300);
    const lead = leadOf(await enter(one));
    assert.equal((await enter(other, millis(1200))).kind, 'alone');
    assert.equal(await other.tryLead('acme', 'f'), undefined);
    lead.end(true);
    await until('the lock is free', async () => (await server.client.keys('*lock*')).length === 0);
  });

  test('the lock of a process that died is taken over when its time is over', async () => {
    const [, other] = two(3000);
    await redisLocks(links[0]!, 400).take('acme', 'f', 'of the dead');
    const waiting = [enter(other), enter(other)];
    const lead = leadOf(await within(10_000, 'another leads', Promise.race(waiting)));
    assert.equal(await server.client.exists('tollgate:{acme}:cache:lock:f'), 1);
    lead.end(true);
    assert.deepEqual((await kinds(waiting)).sort(), ['lead', 'stored']);
  });

  test('nobody gives back what is not his', async () => {
    const [one] = two(3000);
    const lead = leadOf(await enter(one));
    await server.client.set('tollgate:{acme}:cache:lock:f', 'another');
    lead.end(true);
    await delay(50);
    assert.equal(await server.client.get('tollgate:{acme}:cache:lock:f'), 'another');
  });

  test('without Redis each process has a leader of its own, at once', async () => {
    const away = connectRedis({ url: 'redis://127.0.0.1:1', log });
    const flights = singleFlight(redisLocks(away));
    const lead = leadOf(await enter(flights));
    const other = enter(flights);
    lead.end(true);
    assert.equal((await other).kind, 'stored');
    await away.close();
  });
}
