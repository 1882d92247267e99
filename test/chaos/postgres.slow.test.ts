// Postgres away, hanging, and not there at the start: requests go on, and every row is in the ledger once it is back, once.
// docs/invariants.md, 11.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ask,
  chaosYaml,
  degradedIn,
  differences,
  isWhole,
  load,
  type Pods,
  sumsInRedis,
  total,
  withPods,
} from '#test/support/chaos.ts';
import { metricsOf, withoutStores } from '#test/support/fleet.ts';
import { clientKey, tenantKey } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

/** The whole: as many attempts as half an hour at a hundred a second has. */
const [PER_SECOND, AWAY_MS] = isWhole ? [300, 480_000] : [50, 3_000];

const OPEN_KEY = 'sk-test-allow-9c4be87a4f0fa6de9b1c5d3e7f80';
const FREE_KEY = 'sk-test-free-9c4be87a4f0fa6de9b1c5d3e7f801';
const budgets = [{ name: 'own', scope: 'Key', amount: '1000.00', period: 'Total' }];
const moreKeys = [
  ...tenantKey('open', OPEN_KEY, { budgets, onStoreFailure: 'Allow' }),
  ...tenantKey('free', FREE_KEY, { tenant: 'free' }),
];

/** Bill, ledger and counters of the one key that was used. */
async function allAgree(pods: Pods): Promise<void> {
  const [bill, rows] = [await pods.bill.all(), await pods.settledRows()];
  assert.deepEqual(differences(bill, rows), []);
  assert.equal(rows.length, bill.length);
  assert.equal(total(rows), total(bill));
  assert.equal(rows.filter(row => row.isEstimated).length, 0);
  const expected = { settled: total(rows), reserved: 0 };
  assert.deepEqual([...(await sumsInRedis(pods.redis.client)).values()], [expected, expected]);
}

describe('Postgres', { skip: withoutStores }, () => {
  for (const how of ['killed', 'hanging'] as const)
    test(`${how} under load costs no request and no row`, () =>
      withPods({ count: 2 }, async (pods, gateways) => {
        const traffic = load(gateways, 'load', PER_SECOND);
        await sleep(1000);
        if (how === 'killed') await pods.postgres.kill();
        else pods.postgres.pause();
        await sleep(AWAY_MS);
        // A server that hangs is known to be away once a statement has run out of time, after some 6 s.
        if (how === 'killed' || isWhole)
          for (const gateway of gateways) {
            await until('the ledger is known to be away', async () => (await degradedIn(gateway)).includes('ledger'), 20_000);
            assert.equal((await metricsOf(gateway))('tollgate_ledger_up'), 0);
          }
        for (const gateway of gateways) assert.ok(((await metricsOf(gateway))('tollgate_spool_rows_waiting') ?? 0) > 0);
        if (how === 'killed') await pods.postgres.start();
        else pods.postgres.resume();
        await sleep(1000);
        const outcomes = await traffic.stop();
        assert.deepEqual(
          outcomes.filter(({ status, isWhole: whole }) => status !== 200 || !whole),
          [],
        );
        await allAgree(pods);
        for (const gateway of gateways) assert.deepEqual(await degradedIn(gateway), []);
      }));

  test('absent at the start: the gateway starts, serves who has no budget or may pass without, and brings in all rows later', () =>
    withPods({ count: 0, yaml: origin => chaosYaml(origin, { more: moreKeys }) }, async pods => {
      await pods.postgres.kill();
      const gateway = await pods.start();
      for (const [user, key] of [
        ['a', FREE_KEY],
        ['b', OPEN_KEY],
      ] as const)
        assert.equal((await ask(gateway.url, { user, key })).status, 200);
      // What is left of its budget nobody can know.
      const unknown = await ask(gateway.url, { user: 'c', key: clientKey });
      assert.deepEqual([unknown.status, unknown.code], [503, 'store_unavailable']);
      assert.deepEqual(await degradedIn(gateway), ['ledger']);
      await pods.postgres.start();
      await until('its budget is known', async () => (await ask(gateway.url, { user: 'd', key: clientKey })).status === 200);
      const [bill, rows] = [await pods.bill.all(), await pods.settledRows()];
      assert.deepEqual(differences(bill, rows), []);
      assert.deepEqual(rows.map(({ user }) => user).toSorted(), ['a', 'b', 'd']);
    }));

  test('and Redis absent at the start: nothing crashes, nothing is lost, and all is exact once they are there', () =>
    withPods({ count: 0, yaml: origin => chaosYaml(origin, { more: moreKeys }) }, async pods => {
      await pods.postgres.kill();
      await pods.redis.stop();
      const gateway = await pods.start();
      assert.deepEqual((await degradedIn(gateway)).toSorted(), ['ledger', 'redis']);
      assert.equal((await ask(gateway.url, { user: 'a', key: OPEN_KEY })).status, 200);
      assert.equal((await ask(gateway.url, { user: 'b', key: clientKey })).code, 'store_unavailable');
      await pods.postgres.start();
      // The ledger alone is enough to know what is left.
      await until('its budget is known', async () => (await ask(gateway.url, { user: 'c', key: clientKey })).status === 200);
      await pods.restartRedis();
      await until('Redis is found', async () => (await degradedIn(gateway)).length === 0);
      assert.equal((await ask(gateway.url, { user: 'd', key: clientKey })).status, 200);
      const [bill, rows] = [await pods.bill.all(), await pods.settledRows()];
      assert.deepEqual(differences(bill, rows), []);
      assert.equal(total(rows), total(bill));
      assert.ok(gateway.isAlive());
    }));
});
