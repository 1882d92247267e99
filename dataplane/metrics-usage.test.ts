// The counts behind the metrics: however many names there are, nothing is lost, and no more series come of it than the bounds say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OTHERS, UsageTally } from './metrics-usage.ts';

const names = fc.record({
  keyId: fc.nat(40).map(n => `k${n}`),
  tenant: fc.nat(6).map(n => `t${n}`),
  model: fc.constantFrom('m', 'n'),
});

test('beyond the bounds keys, then tenants, are counted together, and every request is counted once', () => {
  fc.assert(
    fc.property(fc.array(names, { maxLength: 200 }), requests => {
      const tally = new UsageTally({ keyed: 8, spreads: 4 });
      for (const { keyId, tenant, model } of requests) {
        const of = { keyId, key: keyId, keyAlias: keyId, tenant, route: 'r', provider: 'p', model } as const;
        const cell = tally.at([tenant, keyId, 'r', 'p', model, 'openai-chat'], () => ({
          ...of,
          dialect: 'openai-chat',
          operation: 'Chat',
        }));
        cell.requestEnded(undefined, 200);
        cell.spreads.request.observe(1);
        assert.ok(cell.of.keyId === keyId || cell.of.key === OTHERS);
        assert.ok(cell.of.tenant === tenant || cell.of.tenant === OTHERS);
        assert.equal(cell.of.model, model);
      }
      const counted = tally.cells.flatMap(({ ended }) => [...ended.values()].flatMap(statuses => [...statuses.values()]));
      const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
      assert.equal(sum(counted), requests.length);
      const spreads = [...tally.spreads];
      assert.equal(sum(spreads.map(({ request }) => request.sum)), requests.length);
      // With a key; without one, by tenant; without that.
      assert.ok(tally.cells.length <= 2 * 8 + 2, `${tally.cells.length} cells`);
      assert.ok(tally.cells.every(({ of, spreads }) => spreads.of.tenant === of.tenant || spreads.of.tenant === OTHERS));
      assert.ok(spreads.length <= 4 + 2, `${spreads.length} spreads`);
    }),
  );
});
