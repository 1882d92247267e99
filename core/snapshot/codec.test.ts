// What is written is what is read, by this version and by its neighbours.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyKey, anyProvider, anyRoute, anySnapshot } from '#test/support/snapshots.ts';
import { entriesByShard, joined, type Pointer, pointerText, readPointer, readShard, type Shard, shardText } from './codec.ts';
import { SCHEMA_VERSION, type Snapshot } from './snapshot.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const written = (snapshot: Snapshot): readonly string[] =>
  [...entriesByShard(snapshot, sha256).entries()].sort().map(([, entries]) => shardText(entries));

function readAll(texts: readonly string[]): readonly Shard[] {
  return texts.map(text => {
    const shard = readShard(text);
    assert.ok(shard.ok, shard.ok ? '' : shard.complaint);
    return shard.value;
  });
}

const inOrder = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  keys: snapshot.keys.toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1)),
});
/** As it is after a trip through JSON: prototypes and absent fields play no part. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

/** Maps with names of the user's choosing: whatever stands there is theirs. */
const MAPS = new Set(['labels', 'tags', 'tenants', 'routes', 'set']);

/** An entry as a newer version may write it: one more field everywhere. */
function grown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(grown);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, each]) => [name, MAPS.has(name) ? each : grown(each)]);
  return Object.fromEntries([...fields, ['fromTheFuture', { on: true }]]);
}
const grownAll = (values: unknown) => (values as readonly unknown[]).map(grown);

describe('a snapshot in shards', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(anySnapshot, snapshot => {
        const { snapshot: back, rejected } = joined(readAll(written(snapshot)));
        assert.deepEqual(rejected, []);
        assert.deepEqual(plain(inOrder(back)), plain(inOrder(snapshot)));
      }),
    );
  });

  test('is the same bytes for an equal snapshot, whatever the order of its fields and entries', () => {
    fc.assert(
      fc.property(anySnapshot, snapshot => {
        const turned = (value: unknown): unknown =>
          typeof value === 'object' && value !== null && !Array.isArray(value)
            ? Object.fromEntries(
                Object.entries(value)
                  .reverse()
                  .map(([name, each]) => [name, turned(each)]),
              )
            : Array.isArray(value)
              ? value.map(turned)
              : value;
        const other = turned({ ...snapshot, keys: snapshot.keys.toReversed(), routes: snapshot.routes.toReversed() });
        assert.deepEqual(written(other as Snapshot), written(snapshot));
      }),
    );
  });

  test('has a change of one object in one shard', () => {
    fc.assert(
      fc.property(anySnapshot, anyKey, (snapshot, fresh) => {
        const before = {
          ...snapshot,
          keys: snapshot.keys.filter(k => `${k.namespace}/${k.name}` !== `${fresh.namespace}/${fresh.name}`),
        };
        const [a, b] = [before, { ...before, keys: [...before.keys, fresh] }].map(
          s => new Map([...entriesByShard(s, sha256)].map(([name, entries]) => [name, shardText(entries)])),
        );
        const changed = [...b!].filter(([name, text]) => a!.get(name) !== text);
        assert.equal(changed.length, 1);
      }),
    );
  });
});

describe('the versions beside this one', () => {
  test('of the next, fields that are not known stay behind and everything is served', () => {
    fc.assert(
      fc.property(anySnapshot, snapshot => {
        const texts = written(snapshot).map(text => {
          const { providers, routes, keys, tenants } = JSON.parse(text) as Record<string, unknown>;
          const entries = { providers: grownAll(providers), routes: grownAll(routes), keys: grownAll(keys), tenants };
          return JSON.stringify({ schemaVersion: SCHEMA_VERSION + 1, newList: [{}], ...entries });
        });
        const { snapshot: back, rejected } = joined(readAll(texts));
        assert.deepEqual(rejected, []);
        assert.deepEqual(plain(inOrder(back)), plain(inOrder(snapshot)));
      }),
    );
  });

  test('of the one before are read as well, and others are refused as a whole', () => {
    for (const [version, isRead] of [
      [SCHEMA_VERSION - 1, true],
      [SCHEMA_VERSION, true],
      [SCHEMA_VERSION + 1, true],
      [SCHEMA_VERSION + 2, false],
      [SCHEMA_VERSION - 2, false],
    ] as const) {
      const shard = JSON.stringify({ schemaVersion: version, providers: [], routes: [], keys: [], tenants: {} });
      assert.equal(readShard(shard).ok, isRead, `version ${version}`);
      assert.equal(readPointer(pointerText({ schemaVersion: version, generation: 1, credentials: 0, shards: {} })).ok, isRead);
    }
  });

  const shardWith = (parts: Partial<Record<'providers' | 'routes' | 'keys', unknown[]>> & { tenants?: object }) =>
    JSON.stringify({ schemaVersion: SCHEMA_VERSION + 1, providers: [], routes: [], keys: [], tenants: {}, ...parts });
  const sample = <T>(arbitrary: fc.Arbitrary<T>): T => fc.sample(arbitrary, { numRuns: 1, seed: 7 })[0]!;

  test('an object of a kind that is not known is left out alone, with its name; its routes keep their other backends', () => {
    const provider = { ...sample(anyProvider), id: 'a/new', namespace: 'a', name: 'new' };
    const known = { ...sample(anyProvider), id: 'a/old', namespace: 'a', name: 'old' };
    const { cascade: _, semantic: __, ...plainRoute } = sample(anyRoute(['a/new']));
    const backend = plainRoute.backends[0]!;
    const route = { ...plainRoute, backends: [backend, { ...backend, name: 'other', provider: 'a/old' }] };
    const text = shardWith({
      providers: [{ ...provider, connection: { type: 'Mistral', region: 'eu' } }, known],
      routes: [route],
    });
    const { snapshot, rejected } = joined(readAll([text]));
    assert.deepEqual(Object.keys(snapshot.providers), ['a/old']);
    assert.deepEqual(
      snapshot.routes[0]?.backends.map(b => b.provider),
      ['a/old'],
    );
    assert.deepEqual(
      rejected.map(({ kind, id }) => `${kind} ${id}`),
      ['LLMProvider a/new'],
    );
    assert.match(rejected[0]!.message, /connection\.type/);
  });

  test('a key whose tenant has budgets that cannot be understood is not served without them', () => {
    const key = { ...sample(anyKey), tenant: 'acme' };
    const text = shardWith({ keys: [key], tenants: { acme: { budgets: [{ name: 'b', period: 'Fortnightly' }] } } });
    const { snapshot, rejected } = joined(readAll([text]));
    assert.deepEqual(snapshot.keys, []);
    assert.deepEqual(rejected.map(r => r.kind).sort(), ['Tenant', 'TenantKey']);
  });
});

describe('reading, whatever it is given,', () => {
  test('never throws', () => {
    const value = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map(v => JSON.stringify({ schemaVersion: 1, providers: [v], routes: v, keys: [v], tenants: v })),
    );
    fc.assert(
      fc.property(value, text => {
        readPointer(text);
        const shard = readShard(text);
        if (shard.ok) joined([shard.value]);
      }),
    );
  });

  test('lets no key reach a prototype', () => {
    const text = `{"schemaVersion":1,"providers":[],"routes":[],"keys":[],"tenants":{"__proto__":{"budgets":[],"polluted":true}}}`;
    joined(readAll([text]));
    assert.equal(({} as { polluted?: true }).polluted, undefined);
  });
});

test('a pointer comes back as it was', () => {
  const pointer: Pointer = {
    schemaVersion: 1,
    generation: 42,
    credentials: 3,
    shards: { '0a': { object: 'o', sha256: sha256('') } },
  };
  const back = readPointer(pointerText(pointer));
  assert.deepEqual(back.ok && back.value, pointer);
});
