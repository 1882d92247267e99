// A rolling restart under load: every request that was taken is answered, every row written once, every reservation given back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ask, ask, differences, isWhole, type Outcome, sumsInRedis, total, withPods } from '#test/support/chaos.ts';
import { withoutStores } from '#test/support/fleet.ts';
import type { Gateway } from '#test/support/gateway.ts';
import { until } from '#test/support/until.ts';

const CLIENTS = 12;
const ROUNDS = isWhole ? 40 : 1;

/** As a load balancer has it: who answers `draining` or takes no connection gets nothing new; a request that was taken is not repeated. */
async function askAny(gateways: readonly Gateway[], from: number, one: Ask): Promise<Outcome> {
  for (let i = 0; i < gateways.length; i++) {
    const gateway = gateways[(from + i) % gateways.length]!;
    if (!gateway.isAlive()) continue;
    const outcome = await ask(gateway.url, one);
    if (!outcome.isRefusedConnection) return outcome;
  }
  throw new Error('no gateway takes connections');
}

test(
  'a rolling restart under load fails no request, loses and doubles no row, and gives back every reservation',
  { skip: withoutStores },
  () =>
    withPods({ count: 3 }, async (pods, first) => {
      const gateways = [...first];
      const outcomes: (Outcome & { user: string })[] = [];
      let isOver = false;
      const client = async (number: number) => {
        for (let i = 0; !isOver && gateways.some(one => one.isAlive()); i++) {
          const user = `client-${number}-${i}`;
          const one = { user, stream: i % 2 === 0, model: i % 3 === 0 ? 'spare' : 'plain', tokens: 100 } as const;
          outcomes.push({ ...(await askAny(gateways, number, one)), user });
        }
      };
      const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
      for (let round = 0; round < ROUNDS; round++)
        for (const [i, old] of gateways.entries()) {
          await sleep(300);
          const next = await pods.start();
          assert.equal(await old.stop(), 0);
          gateways[i] = next;
        }
      await sleep(300);
      isOver = true;
      await Promise.all(clients);
      console.log(`${outcomes.length} requests over ${ROUNDS * first.length} restarts`);
      assert.deepEqual(
        outcomes.filter(outcome => outcome.status !== 200 || !outcome.isWhole),
        [],
      );
      const [bill, rows] = [await pods.bill.all(), await pods.settledRows()];
      assert.deepEqual(differences(bill, rows), []);
      assert.equal(rows.length, bill.length);
      assert.equal(total(rows), total(bill));
      assert.equal(rows.filter(row => row.isEstimated).length, 0);
      const sums = await until('the counters have it all', async () => {
        const found = [...(await sumsInRedis(pods.redis.client)).values()];
        return found.every(({ reserved }) => reserved === 0) && found;
      });
      const expected = { settled: total(rows), reserved: 0 };
      assert.deepEqual(sums, [expected, expected]);
    }),
);
