// What holds of pins, in memory and in Redis, and over processes that share one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { memoryPins } from './memory.ts';
import { PIN_TTL_MS, type Pin, type Pins } from './pins.ts';
import { type RedisPins, redisPins } from './redis.ts';

const pin: Pin = { provider: 'default/openai', model: 'gpt-5', endpoint: 'http://10.0.0.1:8000' };
const response = (id: string) => ({ kind: 'response', id });

function holds(name: string, skip: string | false, open: () => Promise<Pins>): void {
  describe(`pins in ${name}`, { skip }, () => {
    let pins: Pins;
    before(async () => {
      pins = await open();
    });

    test('are found by the tenant that made them, of the kind that they are', async () => {
      await pins.keep('acme', [response('resp_1'), { kind: 'item', id: 'msg_1' }], pin);
      const found = await pins.find('acme', [response('resp_1'), response('msg_1'), { kind: 'item', id: 'msg_1' }]);
      assert.deepEqual(found, [pin, undefined, pin]);
    });

    test('are not there for another tenant, whatever its name', async () => {
      for (const tenant of ['other', 'acme}', '', 'ACME', 'acme:pin'])
        assert.deepEqual(await pins.find(tenant, [response('resp_1')]), [undefined], tenant);
    });

    test('are gone when they are forgotten', async () => {
      await pins.keep('acme', [response('resp_2')], pin);
      await pins.forget('other', response('resp_2'));
      assert.deepEqual(await pins.find('acme', [response('resp_2')]), [pin]);
      await pins.forget('acme', response('resp_2'));
      assert.deepEqual(await pins.find('acme', [response('resp_2')]), [undefined]);
    });
  });
}

holds('memory', false, async () => memoryPins({ now: () => 0 }));

let redis: TestRedis;
const links: RedisLink[] = [];
const opened: RedisPins[] = [];
const log = { warn: () => {}, info: () => {} };

async function connected(now: () => number = Date.now): Promise<RedisPins> {
  const link = connectRedis({ url: redis.url, log });
  links.push(link);
  await until('Redis', () => link.state().kind === 'up');
  const pins = redisPins(link, now);
  opened.push(pins);
  return pins;
}

describe('with a Redis', { skip: withoutRedis }, () => {
  before(async () => {
    redis = await startRedis();
  });
  after(async () => {
    for (const pins of opened) pins.close();
    for (const link of links) await link.close();
    await redis.stop();
  });

  holds('Redis', false, () => connected());

  test('what one process made another one finds', async () => {
    const [one, other] = [await connected(), await connected()];
    await one.keep('acme', [response('resp_shared')], pin);
    assert.deepEqual(await other.find('acme', [response('resp_shared')]), [pin]);
  });

  test('a pin stays for 30 days from when it was last named', async () => {
    const one = await connected();
    await one.keep('acme', [response('resp_kept')], pin);
    const link = links.at(-1)!;
    const [name] = (await link.call(client => client.keys('tollgate:{acme}:pin:*'))).slice(-1);
    const left = () => link.call(client => client.pttl(name!));
    assert.ok((await left()) > PIN_TTL_MS - 60_000);
    assert.ok((await left()) <= PIN_TTL_MS);
  });

  const keyOf = async (link: RedisLink) => (await link.call(client => client.keys('tollgate:{renewed}:pin:*')))[0]!;

  test('who names what it made itself keeps it for all, and tells a Redis that has lost it', async () => {
    const [one, other] = [await connected(), await connected()];
    const link = links.at(-1)!;
    await one.keep('renewed', [response('resp_own')], pin);
    const name = await keyOf(link);
    await link.call(client => client.pexpire(name, 60_000));
    assert.deepEqual(await one.find('renewed', [response('resp_own')]), [pin]);
    await until('it is kept for as long as ever', () => link.call(async client => (await client.pttl(name)) > 60_000));
    await link.call(client => client.del(name));
    assert.deepEqual(await other.find('renewed', [response('resp_own')]), [undefined]);
    assert.deepEqual(await one.find('renewed', [response('resp_own')]), [pin]);
    await until('the other one knows', async () => {
      const found = await other.find('renewed', [response('resp_own')]);
      return found !== 'away' && found[0] !== undefined;
    });
  });

  test('what is known about a thing is what was told last, by whom it was; while Redis is away, what one told oneself', async () => {
    const [one, other] = [await connected(), await connected()];
    const batch = { kind: 'batch', id: 'batch_1' };
    await one.keep('acme', [batch], { ...pin, about: { row: '{}' } });
    await other.keep('acme', [batch], pin);
    assert.deepEqual(await one.find('acme', [batch]), [pin]);
    await redis.pause();
    assert.deepEqual(await one.find('acme', [batch]), [{ ...pin, about: { row: '{}' } }]);
    await redis.resume();
  });

  test('while Redis is away a process knows what it made, and not what it did not; when it is back, others know too', async () => {
    const [one, other] = [await connected(), await connected()];
    await redis.pause();
    await one.keep('acme', [response('resp_away')], pin);
    assert.deepEqual(await one.find('acme', [response('resp_away')]), [pin]);
    assert.equal(await other.find('acme', [response('resp_away')]), 'away');
    await redis.resume();
    await until('the other process to know', async () => {
      const found = await other.find('acme', [response('resp_away')]);
      return found !== 'away' && found[0] !== undefined;
    });
  });
});

test('in memory what much is known about takes the place of several', async () => {
  const pins = memoryPins({ now: () => 0, max: 10 });
  const has = async (id: string) => ((await pins.find('t', [response(id)])) as readonly (Pin | undefined)[])[0] !== undefined;
  for (const id of ['a', 'b', 'c']) await pins.keep('t', [response(id)], pin);
  await pins.keep('t', [response('large')], { ...pin, about: { row: 'x'.repeat(3000) } });
  assert.deepEqual([await has('a'), await has('c'), await has('large')], [false, true, true]);
  await pins.keep('t', [response('large')], pin);
  for (const id of ['d', 'e', 'f', 'g', 'h', 'i']) await pins.keep('t', [response(id)], pin);
  assert.ok(await has('c'));
});

test('in memory the least recently named go first, and all of them in time', async () => {
  let now = 0;
  const pins = memoryPins({ now: () => now, max: 2 });
  const has = async (id: string) => ((await pins.find('t', [response(id)])) as readonly (Pin | undefined)[])[0] !== undefined;
  await pins.keep('t', [response('a'), response('b')], pin);
  assert.ok(await has('a'));
  await pins.keep('t', [response('c')], pin);
  assert.deepEqual([await has('a'), await has('b'), await has('c')], [true, false, true]);
  now += PIN_TTL_MS;
  assert.ok(!(await has('a')));
});
