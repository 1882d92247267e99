// The link to Redis against a real one: what counts as being away.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until, within } from '#test/support/until.ts';
import { connectRedis, RedisAway, type RedisLink } from './redis.ts';

const TIMEOUT_MS = 40;

describe('the link to Redis', { skip: withoutRedis }, () => {
  let redis: TestRedis;
  let link: RedisLink;
  before(async () => {
    redis = await startRedis();
    const log = { warn: () => undefined, info: () => undefined };
    link = connectRedis({ url: redis.url, log, commandTimeoutMs: TIMEOUT_MS });
    await until('it is up', () => link.state().kind === 'up');
  });
  after(async () => {
    await link?.close();
    await redis?.stop();
  });

  const ping = () => link.call(client => client.ping());
  const busyFor = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end; );
  };

  test('does not take it for away where this process was too busy to ask, or to hear', async () => {
    const asked = Array.from({ length: 5 }, ping);
    busyFor(3 * TIMEOUT_MS);
    assert.deepEqual(await Promise.all(asked), Array(5).fill('PONG'));
    const heard = Array.from({ length: 5 }, ping);
    setImmediate(() => busyFor(3 * TIMEOUT_MS));
    assert.deepEqual(await Promise.all(heard), Array(5).fill('PONG'));
    assert.equal(link.state().kind, 'up');
  });

  test('does not take it for away while it answers what was asked before, one after the other', async () => {
    // Redis answers after each 16 KB that it has read, not after each call.
    const work = (turns: number, timeoutMs?: number) =>
      link.call(client => client.eval('for i = 1, ARGV[1] do end', 0, String(turns), ' '.repeat(20_000)), timeoutMs);
    /** How long ten calls took that were to take a quarter of the timeout each; undefined: one was given up. */
    const tenCalls = async (): Promise<number | undefined> => {
      const startedAt = performance.now();
      await work(5_000_000, 2_000);
      const turns = Math.floor((5_000_000 * TIMEOUT_MS) / 4 / (performance.now() - startedAt));
      const askedAt = performance.now();
      const ended = await Promise.allSettled(Array.from({ length: 10 }, () => work(turns)));
      return ended.every(({ status }) => status === 'fulfilled') ? performance.now() - askedAt : undefined;
    };
    // A machine that is fast in one moment and slow in the next shows nothing.
    await until('calls in line are answered though it takes more than two timeouts', async () => {
      const took = await tenCalls();
      return took !== undefined && took > 2 * TIMEOUT_MS;
    });
  });

  test('waits no longer than its timeout for one that hangs, and for nothing once that is known', async () => {
    redis.pause();
    const startedAt = performance.now();
    const answers = await within(1000, 'all calls end', Promise.allSettled(Array.from({ length: 5 }, ping)));
    const took = performance.now() - startedAt;
    assert.ok(answers.every(answer => answer.status === 'rejected' && answer.reason instanceof RedisAway));
    assert.ok(took >= TIMEOUT_MS - 1, `${took}`);
    assert.equal(link.state().kind, 'down');
    const again = performance.now();
    await assert.rejects(ping, RedisAway);
    assert.ok(performance.now() - again < TIMEOUT_MS / 2);
    redis.resume();
    await until('it is up again', () => link.state().kind === 'up');
    assert.equal(await ping(), 'PONG');
  });
});
