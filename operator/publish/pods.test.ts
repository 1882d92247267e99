// Who counts as a data-plane pod, and whose word is taken for whom.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { SCHEMA_VERSION } from '#core/snapshot/snapshot.ts';
import { systemClock } from '#platform/clock.ts';
import { until } from '#test/support/until.ts';
import type { SliceObject } from '../resources.ts';
import type { Change } from '../runtime/store.ts';
import { DataPlanePods, INTERNAL_PORT_NAME } from './pods.ts';

const SERVICE = 'system/tollgate';

/** The slices of a Service, as a test says that they are. */
class Slices {
  readonly objects = new Map<string, SliceObject>();
  readonly hasSynced = true;
  readonly #listeners = new Set<(change: Change<SliceObject>) => void>();
  get = (key: string) => this.objects.get(key);
  synced = async () => {};
  onChange = (listener: (change: Change<SliceObject>) => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  put(name: string, port: number, endpoints: NonNullable<SliceObject['endpoints']>): void {
    const metadata = { namespace: 'system', name, labels: { 'kubernetes.io/service-name': 'tollgate' } };
    const object: SliceObject = { metadata, ports: [{ name: INTERNAL_PORT_NAME, port }], endpoints };
    this.objects.set(name, object);
    for (const tell of this.#listeners) tell({ kind: 'added', key: name, object, isInitial: false });
  }
}

/** A pod that serves a generation; undefined: it says nothing. */
async function podServing(t: TestContext, generation: () => number | undefined): Promise<number> {
  const server = createServer((_, res) => {
    const serving = generation();
    const report = { schemaVersion: SCHEMA_VERSION, generation: serving, credentials: 1, loadedAt: 0, rejected: [] };
    if (serving !== undefined) res.end(JSON.stringify(report));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe('data-plane pods', () => {
  function follow(t: TestContext): { slices: Slices; pods: DataPlanePods } {
    const slices = new Slices();
    const nothing = () => {};
    const pods = new DataPlanePods({
      ...{ slices, service: SERVICE, clock: systemClock },
      onAcknowledged: nothing,
      onSurroundings: nothing,
    });
    pods.start();
    t.after(() => pods.close());
    return { slices, pods };
  }
  const endpoint = (address: string, name: string, uid: string) => ({
    addresses: [address],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', name, uid },
  });

  test('are not taken at the word of one that had their address before', async t => {
    let generation: number | undefined = 7;
    const port = await podServing(t, () => generation);
    const { slices, pods } = follow(t);
    slices.put('slice', port, [endpoint('127.0.0.1', 'first', 'u1')]);
    await until('the first has said what it serves', () => pods.reports()[0]?.generation === 7);
    generation = undefined;
    slices.put('slice', port, [endpoint('127.0.0.1', 'second', 'u2')]);
    assert.equal(pods.hasUnheard, true);
    assert.deepEqual(pods.reports(), []);
    await until('the second counts, and is missing', () => pods.reports()[0]?.pod === 'second');
    assert.equal(pods.reports()[0]?.generation, undefined);
    assert.equal(pods.hasUnheard, false);
  });

  test('with an address of each family are one, asked at that of IPv4; one that stands in two slices is one', async t => {
    const port = await podServing(t, () => 3);
    const { slices, pods } = follow(t);
    slices.put('ipv6', port, [endpoint('fd00::1', 'pod', 'u1'), endpoint('fd00::1', 'pod', 'u1')]);
    slices.put('ipv4', port, [endpoint('127.0.0.1', 'pod', 'u1')]);
    slices.put('copy', port, [endpoint('127.0.0.1', 'pod', 'u1')]);
    await until('it has said what it serves', () => pods.reports()[0]?.generation === 3);
    assert.equal(pods.reports().length, 1);
  });

  test('count as long as they are ready and do not end', t => {
    const { slices, pods } = follow(t);
    const gone = { ...endpoint('127.0.0.1', 'gone', 'u'), conditions: { ready: false } };
    const ending = { ...endpoint('127.0.0.2', 'ending', 'v'), conditions: { ready: true, terminating: true } };
    slices.put('slice', 9, [gone, ending]);
    assert.deepEqual([pods.reports(), pods.hasUnheard, pods.schemas()], [[], false, []]);
  });
});
