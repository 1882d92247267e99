// A lease that is renewed a moment too late: the term before is over, and another one begins.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { systemClock } from '#platform/clock.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import type { KubeObject } from '#platform/kube/resource.ts';
import { until } from '#test/support/until.ts';
import { LeaseElector, type Term } from './lease.ts';

/** A server with one lease, whose renewals can be held up. */
class LeaseServer {
  #lease: KubeObject | undefined;
  #version = 0;
  #held: { readonly let: () => void; readonly until: Promise<void> } | undefined;
  renewals = 0;

  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = { let: resolve, until: promise };
  }

  letThrough(): void {
    this.#held?.let();
    this.#held = undefined;
  }

  get client(): KubeClient {
    const put = async (_: unknown, lease: KubeObject): Promise<KubeObject> => {
      await this.#held?.until;
      this.#version += 1;
      this.renewals += 1;
      this.#lease = { ...lease, metadata: { ...lease.metadata, uid: 'u', resourceVersion: String(this.#version) } };
      return this.#lease;
    };
    return { find: async () => this.#lease, create: put, replace: put } as unknown as KubeClient;
  }
}

test('who loses a term while its renewal is under way leads again when that arrives, in a new term', async t => {
  const server = new LeaseServer();
  const terms: Term[] = [];
  let leading = 0;
  const elector = new LeaseElector({
    client: server.client,
    lease: { namespace: 'default', name: 'leader' },
    identity: 'one',
    clock: systemClock,
    log: pino({ level: 'silent' }),
    timing: { leaseMs: 150, renewWithinMs: 100, renewEveryMs: 10, lookEveryMs: 10 },
    async lead(term) {
      terms.push(term);
      leading += 1;
      await new Promise(resolve => term.signal.addEventListener('abort', resolve, { once: true }));
      leading -= 1;
    },
  });
  t.after(() => elector.stop());
  t.after(() => server.letThrough());
  elector.start();
  await until('it leads', () => leading === 1);
  for (let round = 0; round < 5; round++) {
    server.hold();
    const before = terms.length;
    await until('the term is lost', () => terms.at(-1)!.signal.aborted && leading === 0);
    server.letThrough();
    await until('it leads again', () => terms.length > before && leading === 1);
  }
  assert.ok(server.renewals > 5);
});
