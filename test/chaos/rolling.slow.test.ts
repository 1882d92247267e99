// A rolling restart under load: every request that was taken is answered, every row written once, every reservation given back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildConnector, Client } from 'undici';
import { type Ask, ask, differences, isWhole, type Outcome, sumsInRedis, total, withPods } from '#test/support/chaos.ts';
import { withoutStores } from '#test/support/fleet.ts';
import type { Gateway } from '#test/support/gateway.ts';
import { until } from '#test/support/until.ts';

const CLIENTS = 12;
const ROUNDS = isWhole ? 40 : 1;

/**
 * One client behind a load balancer such as a Service of Kubernetes: a pod that is to end is taken out of its endpoints first, so that
 * it gets no new connection, while the connections there are stay in use.
 */
class BalancedClient {
  readonly #connections = new Map<Gateway, Client>();
  readonly #taken: ReadonlySet<Gateway>;

  /** @param taken those that are out of the endpoints */
  constructor(taken: ReadonlySet<Gateway>) {
    this.#taken = taken;
  }

  async ask(gateways: readonly Gateway[], from: number, one: Ask): Promise<Outcome> {
    for (let i = 0; i < gateways.length; i++) {
      const gateway = gateways[(from + i) % gateways.length]!;
      const outcome = await ask(gateway.url, { ...one, dispatcher: this.#connection(gateway) });
      if (!outcome.isRefusedConnection) return outcome;
    }
    throw new Error('no gateway takes connections');
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map(one => one.destroy()));
  }

  #connection(gateway: Gateway): Client {
    const known = this.#connections.get(gateway);
    if (known) return known;
    const connect = buildConnector({});
    const client = new Client(gateway.url, {
      connect: (options, done) => (this.#taken.has(gateway) ? done(refused(), null) : connect(options, done)),
    });
    this.#connections.set(gateway, client);
    return client;
  }
}

const refused = () => Object.assign(new Error('not in the endpoints'), { code: 'ECONNREFUSED' });

test(
  'a rolling restart under load fails no request, loses and doubles no row, and gives back every reservation',
  { skip: withoutStores },
  () =>
    withPods({ count: 3 }, async (pods, first) => {
      const gateways = [...first];
      const outcomes: (Outcome & { user: string })[] = [];
      let isOver = false;
      const taken = new Set<Gateway>();
      const client = async (number: number) => {
        const balanced = new BalancedClient(taken);
        for (let i = 0; !isOver && gateways.some(one => one.isAlive()); i++) {
          const user = `client-${number}-${i}`;
          const one = { user, stream: i % 2 === 0, model: i % 3 === 0 ? 'spare' : 'plain', tokens: 100 } as const;
          outcomes.push({ ...(await balanced.ask(gateways, number, one)), user });
        }
        await balanced.close();
      };
      const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
      for (let round = 0; round < ROUNDS; round++)
        for (const [i, old] of gateways.entries()) {
          await sleep(300);
          const next = await pods.start();
          taken.add(old);
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
