// The cache of several processes in one Redis: what one does the others know, what is left behind, and a Redis that goes and comes back.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { type EpochMillis, millis } from '#core/units.ts';
import { connectRedis } from '#platform/redis.ts';
import { keep, log, type Process, p, startProcess, textIn } from '#test/support/cache-processes.ts';
import { freePort } from '#test/support/ports.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { redisCache } from './redis.ts';
import { isBefore } from './redis-log.ts';
import { anAnswer, anEntry, digest, vectorOf } from './testing.ts';

const STREAM = 'tollgate:{cache}:log:1';

test('ids of a stream are in the order of their numbers', () => {
  assert.deepEqual(
    [isBefore('9-0', '10-0'), isBefore('5-9', '5-10'), isBefore('5-1', '5-1'), isBefore('6-0', '5-9')],
    [true, true, false, false],
  );
});

if (withoutRedis) test('redis', { skip: withoutRedis });
else {
  const server = await startRedis();
  const running: Process[] = [];
  const start = async (bounds = {}) => {
    const made = await startProcess(server.url, bounds);
    running.push(made);
    return made;
  };
  beforeEach(async () => {
    for (const one of running.splice(0)) await one.stop();
    await server.client.flushall();
  });
  after(async () => {
    for (const one of running) await one.stop();
    await server.stop();
  });

  test('what one process does, another one knows; and one that starts later', async () => {
    const [one, other] = [await start(), await start()];
    const entry = await keep(one, 'Hello', { tags: ['v1'] });
    await until('it is heard', () => other.store.exact(p, entry.key));
    assert.deepEqual({ ...other.store.exact(p, entry.key) }, { ...one.store.exact(p, entry.key) }, 'all of it');
    assert.equal(await textIn(other, 'Hello'), 'to Hello');
    const similarities = [one, other].map(({ store }) => store.nearest(p, vectorOf('Hello'), 1, 0)[0]!.similarity);
    assert.equal(similarities[0], similarities[1]);

    await other.store.alias(entry, digest('Hi'));
    await other.store.setThreshold(entry, 0.9);
    await other.store.setThreshold(entry, 0.97);
    await until('the threshold is heard', () => one.store.exact(p, digest('Hi'))?.threshold === 0.97);
    const third = await start();
    assert.deepEqual([await textIn(third, 'Hi'), third.store.exact(p, entry.key)?.threshold], ['to Hello', 0.97]);

    await third.store.flush({ tag: 'v1' });
    assert.equal(third.store.exact(p, entry.key), undefined);
    await until('the flush is heard', () => !one.store.exact(p, digest('Hi')) && !other.store.exact(p, entry.key));
    const fourth = await start();
    assert.equal(fourth.store.exact(p, entry.key), undefined);
    await until('nothing is left in Redis but the flush', async () => {
      const keys = await server.client.keys('*');
      return keys.length === 1 && (await server.client.xrange(STREAM, '-', '+')).every(([, [kind]]) => kind !== 'add');
    });
  });

  test('what was asked for before a flush is not found after it, whichever of them Redis has first', async () => {
    const [one, other] = [await start(), await start()];
    for (let round = 0; round < 60; round++) {
      const prompt = `round ${round}`;
      const stored = one.store.put(anEntry(prompt, { askedAt: Date.now() as EpochMillis }), anAnswer('old'));
      // From before it is sent to after it is there.
      if (round % 3 > 0) await new Promise(resolve => setTimeout(resolve, round % 3));
      await other.store.flush({});
      await stored;
      const found = () => [one, other].map(({ store }) => store.exact(p, digest(prompt))?.id);
      await until('it is gone', () => found().every(id => id === undefined), 2000);
    }
    await until('also from Redis', async () => (await server.client.keys('tollgate:{acme}cache:*')).length === 0, 5000);
  });

  test('of two answers to the same at one moment all processes keep the same one, and Redis keeps no other', async () => {
    const processes = [await start(), await start(), await start()];
    for (let round = 0; round < 20; round++) {
      await Promise.all(processes.map((one, i) => keep(one, 'Hello', {}, `answer ${round} of ${i}`)));
      await until('they agree', async () => {
        const ids = new Set(processes.map(({ store }) => store.exact(p, digest('Hello'))?.id));
        return (
          ids.size === 1 && (await server.client.keys('*cache:*')).filter(key => key.startsWith('tollgate:{acme}')).length === 1
        );
      });
      const texts = await Promise.all(processes.map(one => textIn(one, 'Hello')));
      assert.equal(new Set(texts).size, 1);
      assert.match(texts[0]!, new RegExp(`^answer ${round} `));
    }
    assert.deepEqual(
      processes.map(({ store }) => store.stats().entries),
      [1, 1, 1],
    );
  });

  test('an entry takes less than 1 KB of Redis besides its answer, 384 dimensions included', async () => {
    const one = await start();
    const used = async () => Number(/used_memory:(\d+)/.exec(await server.client.info('memory'))![1]);
    await keep(one, 'first');
    const before = await used();
    const text = 'word';
    let answers = 0;
    for (let i = 0; i < 500; i++) {
      const prompt = `What is the capital of country number ${i}, and since when?`;
      const { id } = await keep(
        one,
        prompt,
        { vector: vectorOf(prompt, 384), key: digest(prompt), partition: digest('of 384') },
        text,
      );
      answers += await server.client.strlen(`tollgate:{acme}:cache:${id}`);
    }
    const each = ((await used()) - before - answers) / 500;
    assert.ok(each > 500 && each < 1024, `${each} bytes`);
  });

  test('an entry that goes for others makes room in Redis and everywhere', async () => {
    const bounds = { maxBytes: 100_000 };
    const [one, other] = [await start(bounds), await start(bounds)];
    const noise = Array.from({ length: 40 }, (_, i) => digest(`${i}`)).join('');
    for (let i = 0; i < 150; i++) await keep(i % 2 ? one : other, `number ${i}`, {}, noise);
    await until('both have the same', async () => {
      const stored = (await server.client.keys('tollgate:{acme}:cache:*')).length;
      return [one, other].every(({ store }) => store.stats().entries === stored) && stored < 100;
    });
    for (const { store } of [one, other]) assert.ok(store.stats().bytes <= 100_000 && store.stats().bytes > 60_000);
    const third = await start(bounds);
    assert.equal(third.store.stats().entries, one.store.stats().entries);
  });

  test('the log is cleaned: what says nothing to who begins anew goes', async t => {
    const connect = () => connectRedis({ url: server.url, log, commandTimeoutMs: 1000 });
    const [link, reader] = [connect(), connect()];
    let now = Date.now();
    t.mock.timers.enable({ apis: ['setInterval'] });
    const store = redisCache({ link, reader, maxBytes: 20_000, maxIndexBytes: 1e8, now: () => now });
    const one: Process = { store, link, stop: () => store.close().then(() => link.close()) };
    running.push(one);
    await until('the log is read', () => !store.stats().isAway);
    const records = async () => (await server.client.xrange(STREAM, '-', '+')).map(([, [kind]]) => kind);
    for (let i = 0; i < 60; i++) await keep(one, `number ${i}`, { ttl: millis(i < 50 ? 1000 : 3_600_000), staleFor: millis(0) });
    const last = store.exact(p, digest('number 59'))!;
    for (const threshold of [0.9, 0.91, 0.92]) await store.setThreshold(last, threshold);
    await store.alias(last, digest('another'));
    assert.ok(store.stats().evicted > 0 && (await records()).includes('gone'));
    now += 120_000;
    t.mock.timers.tick(30_000);
    await until('only what is alive is left', async () => {
      const [adds, others] = [await records(), await records()].map((all, i) =>
        all.filter(kind => (kind === 'add') === (i === 0)),
      );
      return adds!.length === 10 && others!.toSorted().join() === 'key,limit';
    });
    assert.equal(store.stats().entries, 10);
    assert.equal((await server.client.keys('tollgate:{acme}:cache:*')).length, 10);
    assert.equal((await start()).store.exact(p, digest('another'))?.threshold, 0.92);
  });

  test('a process with a smaller index has less, and takes nothing from the others', async () => {
    const one = await start();
    const small = await start({ maxIndexBytes: 20_000 });
    for (let i = 0; i < 100; i++) await keep(one, `number ${i}`);
    await until('the last is heard', () => small.store.exact(p, digest('number 99')));
    assert.ok(small.store.stats().entries < 30);
    assert.equal(one.store.stats().entries, 100);
  });

  test('an answer that Redis lost is a miss, and makes place for a new one', async () => {
    const one = await start();
    const entry = await keep(one, 'Hello');
    await server.client.del(`tollgate:{acme}:cache:${entry.id}`);
    assert.equal(await one.store.answer(entry), undefined);
    assert.equal(one.store.exact(p, entry.key), undefined);
    await server.client.flushall();
    await keep(one, 'Hello', {}, 'again');
    assert.equal(await textIn(one, 'Hello'), 'again');
  });

  test('what is no entry, and answers of a version that is not known, are passed over', async () => {
    const one = await start();
    for (const kind of ['add', 'key', 'limit', 'gone', 'flush', 'later']) {
      await server.client.xadd(STREAM, '*', kind, '{"');
      await server.client.xadd(STREAM, '*', kind, Buffer.from([255, 255, 255, 127, 0]));
    }
    const entry = await keep(one, 'Hello');
    await server.client.set(`tollgate:{acme}:cache:${entry.id}`, Buffer.from([9, 1, 2]));
    assert.equal(await one.store.answer(entry), undefined);
    await keep(one, 'Hello again');
    assert.equal(await textIn(await start(), 'Hello again'), 'to Hello again');
  });

  test('tenants cannot name what another one has', async () => {
    const one = await start();
    const names = ['acme', 'acme}:cache', '{acme}', 'a:b', 'ü'];
    for (const tenant of names) await keep(one, tenant, { tenant, partition: digest(tenant) });
    const keys = (await server.client.keys('tollgate:*')).filter(key => key !== STREAM);
    assert.equal(new Set(keys.map(key => /^tollgate:\{([^{}]+)\}:cache:[\w-]{16}$/.exec(key)![1])).size, names.length);
  });
}

test('Redis away is a miss at once, never an error; back with nothing it begins anew', { skip: withoutRedis }, async () => {
  const port = await freePort();
  let server = await startRedis({ port });
  const one = await startProcess(server.url);
  try {
    const entry = await keep(one, 'Hello');
    await server.stop();
    await until('it is noticed', () => one.store.stats().isAway);
    const startedAt = performance.now();
    const tried = [
      one.store.exact(p, entry.key),
      ...one.store.nearest(p, vectorOf('Hello'), 8, 0),
      await one.store.answer(entry),
      await one.store.put(anEntry('Hi'), anAnswer('Hi')),
    ];
    assert.deepEqual(tried, [undefined, undefined, undefined]);
    assert.deepEqual(
      [await one.store.alias(entry, digest('x')), await one.store.setThreshold(entry, 1), await one.store.flush({})],
      [false, false, false],
    );
    assert.ok(performance.now() - startedAt < 1000, 'nothing waits');
    server = await startRedis({ port });
    await until('it is back', () => !one.store.stats().isAway);
    assert.equal(one.store.exact(p, entry.key), undefined);
    await keep(one, 'Hello', {}, 'again');
    assert.equal(await textIn(one, 'Hello'), 'again');
  } finally {
    await one.stop();
    await server.stop();
  }
});

test('a flush that happened while a process was cut off is known before anything is found again', {
  skip: withoutRedis,
}, async () => {
  const server = await startRedis();
  const [one, other] = [await startProcess(server.url), await startProcess(server.url)];
  try {
    const entry = await keep(one, 'Hello');
    await until('it is heard', () => other.store.exact(p, entry.key));
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const found: unknown[] = [];
    const looking = setInterval(() => found.push(other.store.exact(p, entry.key)), 1);
    await server.client.xadd(STREAM, '*', 'flush', '{}');
    await until('both are back', () => !one.store.stats().isAway && !other.store.stats().isAway);
    clearInterval(looking);
    assert.ok(!found.slice(found.indexOf(undefined)).some(Boolean), 'once it is gone it does not come again');
    for (const { store } of [one, other]) assert.equal(store.exact(p, entry.key), undefined);
  } finally {
    await one.stop();
    await other.stop();
    await server.stop();
  }
});
