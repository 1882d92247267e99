// The index against a plain list: after any entries that came, went, changed names and were flushed, both find the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EpochMillis } from '#core/units.ts';
import { EntryIndex, type Held } from './entry-index.ts';
import type { CacheEntry, FlushScope } from './store.ts';
import { anEntry, digest, vectorOf } from './testing.ts';

const DIMENSION = 7;
type Step =
  | {
      readonly kind: 'add';
      readonly partition: string;
      readonly key: string;
      readonly tenant: string;
      readonly goneAt: number;
      readonly isExact: boolean;
    }
  | { readonly kind: 'alias' | 'remove' | 'touch'; readonly pick: number; readonly key: string }
  | { readonly kind: 'flush'; readonly scope: FlushScope }
  | { readonly kind: 'sweep' | 'shrink' | 'pass' };

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const partition = fc.constantFrom('p', 'q');
const tenant = fc.constantFrom('t', 'u');
const pick = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      partition,
      key: name,
      tenant,
      goneAt: fc.integer({ min: 1, max: 40 }),
      isExact: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('alias' as const, 'remove' as const, 'touch' as const), pick, key: name }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('flush' as const),
      scope: fc.constantFrom({}, { tenant: 't' }, { tenant: 'u', route: 'r' }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('sweep' as const, 'shrink' as const, 'pass' as const) }) },
);

/** What the index should know, in order of use. */
type Model = { entry: CacheEntry; vector: Float32Array | undefined; keys: Set<string> }[];

test('the index finds what a list of all entries finds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      let now = 0;
      const index = new EntryIndex(() => now);
      let model: Model = [];
      const alive = () => model.filter(({ entry }) => entry.goneAt > now);
      for (const [i, one] of steps.entries()) {
        switch (one.kind) {
          case 'add': {
            const entry = made(i, one);
            const vector = one.isExact ? undefined : vectorOf(entry.id, DIMENSION);
            index.add(entry, vector, index.next());
            model = model.filter(other => !(other.entry.partition === entry.partition && other.entry.key === entry.key));
            for (const other of model) if (other.entry.partition === entry.partition) other.keys.delete(entry.key);
            model.push({ entry, vector, keys: new Set([entry.key]) });
            break;
          }
          case 'alias': {
            const chosen = model[one.pick % model.length];
            if (!chosen) break;
            const isTaken = model.some(({ entry, keys }) => entry.partition === chosen.entry.partition && keys.has(one.key));
            const ours = chosen.keys.has(one.key);
            assert.equal(index.alias(index.get(chosen.entry.id)!, one.key), ours || !isTaken);
            if (!isTaken) chosen.keys.add(one.key);
            break;
          }
          case 'remove': {
            const [chosen] = model.splice(one.pick % Math.max(1, model.length), 1);
            index.remove(chosen?.entry.id ?? 'nobody');
            break;
          }
          case 'touch': {
            const [chosen] = model.splice(one.pick % Math.max(1, model.length), 1);
            if (!chosen) break;
            model.push(chosen);
            index.touch(index.get(chosen.entry.id)!);
            break;
          }
          case 'flush':
            index.flush(one.scope, index.next());
            model = model.filter(({ entry }) => !(one.scope.tenant === undefined || one.scope.tenant === entry.tenant));
            // What was flushed is still there until it is swept; it is found no more.
            await index.sweep();
            model = alive();
            break;
          case 'sweep':
            await index.sweep();
            model = alive();
            break;
          case 'shrink':
            index.shrink(({ size }) => size <= 3, undefined as unknown as Held);
            model = model.slice(Math.max(0, model.length - 3));
            break;
          case 'pass':
            now += 3;
        }
        agrees(index, model, alive());
      }
    }),
    { numRuns: 1500, verbose: 1 },
  );
});

const made = (i: number, { partition, key, tenant, goneAt }: Extract<Step, { kind: 'add' }>): CacheEntry => {
  const {
    vector: _,
    ttl: __,
    staleFor: ___,
    askedAt: ____,
    ...rest
  } = anEntry(`prompt ${i}`, { partition, key, tenant, route: 'r' });
  return {
    ...rest,
    id: `e${i}`,
    createdAt: 0 as EpochMillis,
    freshUntil: goneAt as EpochMillis,
    goneAt: goneAt as EpochMillis,
    bytes: 100 + i,
  };
};

function agrees(index: EntryIndex, model: Model, alive: Model): void {
  assert.equal(index.size, model.length);
  assert.equal(
    index.bytes,
    model.reduce((sum, { entry }) => sum + entry.bytes, 0),
  );
  assert.deepEqual(
    [...index.entries()].map(({ id }) => id),
    model.map(({ entry }) => entry.id),
  );
  for (const partition of ['p', 'q']) {
    const here = alive.filter(({ entry }) => entry.partition === partition);
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const holder = here.find(({ keys }) => keys.has(key));
      assert.equal(index.exact(partition, key)?.id, holder?.entry.id);
      // Being found is being used.
      if (holder) model.push(...model.splice(model.indexOf(holder), 1));
    }
    const probe = vectorOf('probe', DIMENSION);
    const expected = here
      .filter(({ vector }) => vector)
      .map(({ entry, vector }) => ({ id: entry.id, similarity: vector!.reduce((sum, x, i) => sum + x * probe[i]!, 0) }))
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, 4);
    const found = index.nearest(partition, probe, 4, -1);
    assert.deepEqual(
      found.map(({ entry }) => entry.id),
      expected.map(({ id }) => id),
    );
    for (const [i, { similarity }] of found.entries()) assert.ok(Math.abs(similarity - expected[i]!.similarity) < 1e-6);
  }
}

test('what it says it takes comes back to nothing', () => {
  const index = new EntryIndex(() => 0);
  const ids = Array.from({ length: 100 }, (_, i) => {
    const entry = made(i, { kind: 'add', partition: `p${i % 7}`, key: digest(`${i}`), tenant: 't', goneAt: 1, isExact: false });
    return index.add(entry, vectorOf(entry.id), index.next()).held.id;
  });
  assert.ok(index.memory > 100 * 64 * 4);
  for (const id of ids) index.remove(id);
  assert.deepEqual([index.size, index.bytes, index.memory], [0, 0, 0]);
});
