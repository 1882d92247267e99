// What only the counters in Redis can do: be shared by processes, be away, be flushed, be older than they were.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, beforeEach, test } from 'node:test';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import { connectRedis, RedisAway, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { budget, callerOf, rpm, slots, tpm } from './contract/caller.ts';
import { CountersAway } from './counters.ts';
import { redisCounters } from './redis.ts';

const skip = withoutRedis;
const silent = { warn: () => undefined, info: () => undefined };
const server = skip ? (undefined as never as TestRedis) : await startRedis();
const links: RedisLink[] = [];
after(async () => {
  for (const link of links) await link.close();
  if (!skip) await server.stop();
});
beforeEach(async () => {
  if (!skip) await server.client.flushall();
});

async function linkTo(url: string, commandTimeoutMs = 1000): Promise<RedisLink> {
  const link = connectRedis({ url, log: silent, commandTimeoutMs });
  links.push(link);
  await until('the connection is up', () => link.state().kind === 'up');
  return link;
}

type Answer = { readonly kind: string; readonly crossed: number };

/** Answers of so many processes, each with so many requests at once. */
async function processes(
  count: number,
  each: number,
  limits: unknown,
  budgets: unknown,
  cost: number,
): Promise<readonly Answer[]> {
  const program = new URL('../../test/support/counters-process.ts', import.meta.url).pathname;
  const started = Array.from({ length: count }, (_, i) => {
    const args = [program, server.url, `p${i}`, String(each), JSON.stringify(limits), JSON.stringify(budgets), String(cost)];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  for (const { lines } of started) assert.equal((await lines.next()).value, 'ready');
  for (const { child } of started) child.stdin.write('go\n');
  const texts = await Promise.all(started.map(async ({ lines }) => (await lines.next()).value as string));
  return texts.flatMap(text => JSON.parse(text) as Answer[]);
}

test('three processes share 100 requests per minute: 100 of 100 pass, the 101st does not', { skip }, async () => {
  const answers = await processes(3, 40, [rpm(100)], [], 0);
  assert.equal(answers.filter(a => a.kind === 'granted').length, 100);
  assert.equal(answers.filter(a => a.kind === 'limited').length, 20);
});

test('three processes spend one budget to the last nano-dollar, never beyond, and one of them tells of each threshold', {
  skip,
}, async () => {
  const b = budget(1_000_000_000, { warnAt: [nanoUsd(500_000_000), nanoUsd(1_000_000_000)] });
  const caller = callerOf(redisCounters({ link: await linkTo(server.url) }), 'shared');
  await caller.know([b]);
  const answers = await processes(3, 100, [], [b], 5_000_000);
  assert.equal(answers.filter(a => a.kind === 'granted').length, 200);
  assert.equal(
    answers.reduce((sum, a) => sum + a.crossed, 0),
    2,
  );
  assert.deepEqual(await caller.level(b), [1_000_000_000, 0]);
});

test('one round trip for each step, also after Redis forgot the scripts', { skip }, async () => {
  const caller = callerOf(redisCounters({ link: await linkTo(server.url) }));
  const asked = { id: 'a', cost: 5, tokens: 3, limits: [rpm(9), tpm(99), slots(9)], budgets: [budget(100)] };
  await caller.know(asked.budgets);
  await server.client.script('FLUSH');
  assert.equal((await caller.reserve(asked)).kind, 'granted');
  await server.client.script('FLUSH');
  assert.equal((await caller.extend(asked)).kind, 'granted');
  await server.client.script('FLUSH');
  assert.equal((await caller.settle(asked)).kind, 'settled');
  for (const id of ['b', 'c']) {
    await server.client.config('RESETSTAT');
    await caller.reserve({ ...asked, id });
    await caller.extend({ ...asked, id });
    await caller.settle({ ...asked, id });
  }
  const stats = await server.client.info('commandstats');
  assert.match(stats, /cmdstat_evalsha:calls=3,/);
  assert.doesNotMatch(stats, /cmdstat_eval:/);
});

test('a Redis that hangs costs each call one timeout, then nothing until it answers again', { skip }, async t => {
  const own = await startRedis();
  t.after(() => own.stop());
  const link = await linkTo(own.url, 40);
  const caller = callerOf(redisCounters({ link }));
  const slow = (id: string) => caller.reserve({ id, limits: [slots(100)] });
  await slow('warm');
  own.pause();
  const started = performance.now();
  const together = await Promise.allSettled([slow('a'), slow('b'), slow('c')]);
  const waited = performance.now() - started;
  assert.ok(together.every(r => r.status === 'rejected' && r.reason instanceof CountersAway));
  assert.ok(waited >= 35 && waited < 1000, `${waited} ms`);
  assert.equal(link.state().kind, 'down');
  const refused = performance.now();
  for (let i = 0; i < 20; i++) await assert.rejects(slow(`d${i}`), CountersAway);
  assert.ok(performance.now() - refused < (20 * 40) / 2, 'none of them waited for a timeout');
  own.resume();
  await until('it is up again', () => link.state().kind === 'up', 2000);
  assert.equal((await slow('e')).kind, 'granted');
  // What timed out ran after all, each once: the slots are taken until their leases end.
  assert.equal((await callerOf(redisCounters({ link })).counters.expired('team-a', epochMillis(4e12 + 1), 10)).length, 5);
});

test('a Redis that says no is not one that is away: the next call is asked all the same', { skip }, async () => {
  const link = await linkTo(server.url);
  for (let i = 0; i < 5; i++)
    await assert.rejects(
      link.call(client => client.call('NOSUCHCOMMAND')),
      RedisAway,
    );
  assert.equal(link.state().kind, 'up');
  assert.equal(await link.call(client => client.ping()), 'PONG');
});

test('a Redis that is not there yet, that dies and that comes back at the same place', { skip }, async () => {
  const first = await startRedis();
  await first.stop();
  const link = connectRedis({ url: first.url, log: silent });
  links.push(link);
  const caller = callerOf(redisCounters({ link }));
  await assert.rejects(caller.reserve({ id: 'a', limits: [rpm(1)] }), CountersAway);
  const second = await startRedis({ port: first.port });
  await until('it is up', () => link.state().kind === 'up', 5000);
  assert.equal((await caller.reserve({ id: 'a', limits: [rpm(1)] })).kind, 'granted');
  await second.stop();
  await until('it is down', () => link.state().kind === 'down', 1000);
  await assert.rejects(caller.settle({ id: 'a', limits: [rpm(1)] }), CountersAway);
  const third = await startRedis({ port: first.port });
  await until('it is up again', () => link.state().kind === 'up', 5000);
  assert.equal((await caller.reserve({ id: 'b', limits: [rpm(1)] })).kind, 'granted');
  await link.close();
  await third.stop();
});

test('flushed: accounts are unknown, the process that knew them says so once, and rebuilt sums are right', { skip }, async () => {
  const stale: string[] = [];
  const counters = redisCounters({
    link: await linkTo(server.url),
    onStale: (tenant, account) => stale.push(`${tenant} ${account}`),
  });
  const caller = callerOf(counters);
  const b = budget(100);
  await caller.know([b]);
  assert.deepEqual(stale, [], 'an account that is new was not lost');
  await caller.reserve({ id: 'a', cost: 30, budgets: [b] });
  await server.client.flushall();
  for (let i = 0; i < 3; i++) assert.equal((await caller.reserve({ id: 'b', cost: 30, budgets: [b] })).kind, 'unknown');
  assert.deepEqual(stale, ['team-a k/month']);
  const open = [{ id: 'a', cost: nanoUsd(30), leaseUntil: epochMillis(4e12), accounts: [b.account] }];
  await caller.know([b], {
    settled: 10,
    open,
    settledLately: Array.from({ length: 2500 }, (_, i) => ({ id: `late-${i}`, settled: nanoUsd(5) })),
  });
  assert.deepEqual(await caller.level(b), [10, 30]);
  assert.equal((await caller.settle({ id: 'late-2499', cost: 5, budgets: [b] })).kind, 'repeated');
  assert.equal((await caller.settle({ id: 'a', cost: 20, budgets: [b] })).kind, 'settled');
  assert.deepEqual(await caller.level(b), [30, 0]);
  assert.equal(stale.length, 1);
});

test('a replica that missed the last writes: spend that went down is found, and is unknown until it is rebuilt', {
  skip,
}, async () => {
  const stale: string[] = [];
  const link = await linkTo(server.url);
  const caller = callerOf(redisCounters({ link, onStale: (_, account) => stale.push(account) }));
  const other = callerOf(redisCounters({ link, onStale: (_, account) => stale.push(`other ${account}`) }));
  const b = budget(100);
  await caller.know([b]);
  await caller.reserve({ id: 'slow', cost: 8, limits: [slots(2)], budgets: [b] });
  await caller.settle({ id: 'a', cost: 30, budgets: [b] });
  const before = await server.client.dump('tollgate:{team-a}:spend');
  await other.settle({ id: 'b', cost: 25, budgets: [b] });
  await caller.settle({ id: 'c', cost: 5, budgets: [b] });
  const dumped = await server.client.dumpBuffer('tollgate:{team-a}:spend');
  assert.ok(before !== null && dumped !== null);
  await server.client.hset('tollgate:{team-a}:spend', `s:${b.period}:${b.account}`, 30);
  await caller.settle({ id: 'd', cost: 1, budgets: [b] });
  await until('the doubt has arrived', () => stale.length > 0);
  assert.deepEqual(stale, ['k/month']);
  assert.equal((await other.reserve({ id: 'e', cost: 1, budgets: [b] })).kind, 'unknown');
  assert.deepEqual(stale, ['k/month'], 'the other process sees that it was doubted on purpose');
  const open = [{ id: 'slow', cost: nanoUsd(8), leaseUntil: epochMillis(4e12), accounts: [b.account] }];
  await caller.know([b], { settled: 61, open });
  assert.deepEqual(await caller.level(b), [61, 8]);
  assert.equal((await other.reserve({ id: 'e', cost: 31, budgets: [b] })).kind, 'granted');
  await caller.settle({ id: 'slow', cost: 6, limits: [slots(2)], budgets: [b] });
  assert.deepEqual(await caller.level(b), [67, 31]);
  assert.deepEqual(stale, ['k/month'], 'sums that were rebuilt may be lower without anybody minding');
});

test('a copy of a row is kept with its step, replaced by the next, and gone when the ledger has it', { skip }, async () => {
  const counters = redisCounters({ link: await linkTo(server.url) });
  const request = { tenant: 't', id: 'a', limits: [], budgets: [], cost: nanoUsd(0), tokens: tokens(0) };
  const holding = { leaseUntil: epochMillis(4e12), limitsAlone: false };
  await counters.reserve({ ...request, ...holding }, { attempt: 0, json: '{"open":0}' });
  await counters.extend({ ...request, ...holding }, [{ attempt: 1, json: '{"open":1}' }]);
  await counters.settle(request, [{ attempt: 0, json: '{"settled":0}' }]);
  const later = epochMillis(Date.now() + 60_000);
  assert.deepEqual((await counters.copies('t', later, 10)).toSorted(), ['{"open":1}', '{"settled":0}']);
  assert.deepEqual(await counters.copies('t', epochMillis(Date.now() - 60_000), 10), []);
  assert.equal((await counters.copies('t', later, 1)).length, 1);
  await counters.forget('t', [{ requestId: 'a', attempt: 0 }]);
  assert.deepEqual(await counters.copies('t', later, 10), ['{"open":1}']);
  const limited = await counters.reserve({ ...request, ...holding, id: 'b', limits: [rpm(0)] }, { attempt: 0, json: '{}' });
  assert.equal(limited.kind, 'limited');
  assert.deepEqual(await counters.copies('t', later, 10), ['{"open":1}'], 'a refusal leaves no row');
});

test('nothing of a tenant outlives its use: what is left afterwards is its sums', { skip }, async () => {
  const caller = callerOf(redisCounters({ link: await linkTo(server.url) }));
  const asked = { id: 'a', cost: 5, tokens: 3, limits: [rpm(9), tpm(99), slots(9)], budgets: [budget(100)] };
  await caller.know(asked.budgets, { settledLately: [{ id: 'x', settled: nanoUsd(0) }] });
  await caller.reserve(asked);
  await caller.settle({ ...asked, cost: 4 });
  const keys = await server.client.keys('*');
  const lasting = [];
  for (const key of keys) if ((await server.client.ttl(key)) < 0) lasting.push(key);
  assert.deepEqual(lasting, ['tollgate:{team-a}:spend']);
});

test('in a cluster no step leaves the slot of its tenant', { skip }, async t => {
  const cluster = await startRedis({ cluster: true });
  t.after(() => cluster.stop());
  const link = await linkTo(`redis+cluster://127.0.0.1:${cluster.port}`);
  const counters = redisCounters({ link });
  for (const tenant of ['team-a', 'team-b', '}{']) {
    const caller = callerOf(counters, tenant);
    const asked = { id: 'a', cost: 5, tokens: 3, limits: [rpm(9), tpm(99), slots(9)], budgets: [budget(100)] };
    assert.equal((await caller.reserve(asked)).kind, 'unknown');
    const open = [{ id: 'z', cost: nanoUsd(3), leaseUntil: epochMillis(1), accounts: ['k/month'] }];
    await caller.know(asked.budgets, { open, settledLately: [{ id: 'y', settled: nanoUsd(5) }] });
    assert.equal((await caller.reserve(asked)).kind, 'granted');
    assert.equal((await caller.extend({ ...asked, cost: 2 })).kind, 'granted');
    assert.equal((await caller.settle({ ...asked, cost: 7 })).kind, 'settled');
    assert.equal((await caller.settle({ ...asked, id: 'y' })).kind, 'repeated');
    assert.equal((await counters.expired(tenant, epochMillis(2), 5)).length, 1);
    await counters.forget(tenant, [{ requestId: 'a', attempt: 0 }]);
    assert.deepEqual(await counters.copies(tenant, epochMillis(2), 5), []);
    assert.deepEqual(await caller.level(budget(100)), [7, 3]);
  }
});
