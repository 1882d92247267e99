// Publishing writes what changed and nothing else, and what was published can always be read.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { anyKey, anySnapshot } from '#test/support/snapshots.ts';
import { joined, type Pointer, readShard } from '../snapshot/codec.ts';
import { type KeyEntry, SCHEMA_VERSION, type Snapshot } from '../snapshot/snapshot.ts';
import { type PublishPlan, publishPlan } from './plan.ts';

const tools = {
  digest: (text: string) => createHash('sha256').update(text).digest('hex'),
  pack: (text: string) => gzipSync(text),
};

/** The objects of a cluster, as plans write them. */
class Objects {
  readonly held = new Map<string, Uint8Array>();
  pointer: Pointer | undefined;

  write(plan: PublishPlan): void {
    for (const { object, packed } of plan.shards) this.held.set(object, packed);
    if (plan.pointer) this.pointer = plan.pointer.value;
  }

  /** What a data plane reads by a pointer that it has seen, now. */
  readable(pointer: Pointer): Snapshot | 'torn' {
    const shards = Object.values(pointer.shards).map(({ object, sha256 }) => {
      const text = gunzipSync(this.held.get(object)!).toString();
      const shard = tools.digest(text) === sha256 ? readShard(text) : undefined;
      return shard?.ok ? shard.value : undefined;
    });
    return shards.includes(undefined) ? 'torn' : joined(shards.filter(s => s !== undefined)).snapshot;
  }
}

const named = (key: KeyEntry) => `${key.namespace}/${key.name}`;

describe('publishing', () => {
  test('an equal snapshot once more, also by another process, writes nothing', () => {
    fc.assert(
      fc.property(anySnapshot, snapshot => {
        const objects = new Objects();
        const first = publishPlan(snapshot, 1, undefined, tools);
        objects.write(first);
        const again = publishPlan({ ...snapshot, keys: snapshot.keys.toReversed() }, 1, objects.pointer, tools);
        assert.deepEqual([again.shards, again.pointer], [[], undefined]);
        assert.deepEqual(again.entries, first.entries);
      }),
    );
  });

  test('a change of one key is one shard and the pointer, and a reader in between has the old one whole', () => {
    fc.assert(
      fc.property(anySnapshot, anyKey, (snapshot, fresh) => {
        const objects = new Objects();
        const before = { ...snapshot, keys: snapshot.keys.filter(key => named(key) !== named(fresh)) };
        objects.write(publishPlan(before, 0, undefined, tools));
        const { pointer: seen } = objects;
        const plan = publishPlan({ ...before, keys: [...before.keys, fresh] }, 0, objects.pointer, tools);
        assert.equal(plan.shards.length, 1);
        objects.write({ ...plan, pointer: undefined as never });
        assert.notEqual(objects.readable(seen!), 'torn');
        objects.write(plan);
        assert.equal(objects.pointer!.generation, seen!.generation + 1);
        const now = objects.readable(objects.pointer!);
        assert.ok(now !== 'torn' && now.keys.some(key => named(key) === named(fresh)));
      }),
    );
  });

  test('an empty snapshot is published too, so that pods know that there is an operator', () => {
    const empty = { schemaVersion: 1, providers: {}, routes: [], keys: [], tenants: {} };
    const plan = publishPlan(empty, 0, undefined, tools);
    assert.deepEqual(plan.pointer?.value, { schemaVersion: 1, generation: 1, credentials: 0, shards: {} });
  });

  test('what has no room is left out, the largest first, and everything else is there', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyKey, { selector: named, minLength: 8, maxLength: 30 }),
        fc.integer({ min: 300, max: 3000 }),
        (keys, max) => {
          const snapshot = { schemaVersion: 1, providers: {}, routes: [], keys, tenants: {} };
          const objects = new Objects();
          const plan = publishPlan(snapshot, 0, undefined, tools, { maxPackedBytes: max });
          objects.write(plan);
          assert.ok(plan.shards.every(({ packed }) => packed.length <= max));
          const read = objects.readable(objects.pointer!);
          assert.ok(read !== 'torn');
          const [there, not] = [read.keys.map(named), plan.tooLarge.map(({ id }) => id)];
          assert.deepEqual([...there, ...not].sort(), keys.map(named).sort());
          assert.deepEqual([publishPlan(snapshot, 0, objects.pointer, tools, { maxPackedBytes: max }).pointer], [undefined]);
        },
      ),
    );
  });

  test('for pods of the version before is read by both versions, and is written anew for this one', () => {
    fc.assert(
      fc.property(anySnapshot, snapshot => {
        const objects = new Objects();
        objects.write(publishPlan(snapshot, 0, undefined, tools, { schemaVersion: SCHEMA_VERSION - 1 }));
        const before = objects.pointer!;
        assert.equal(before.schemaVersion, SCHEMA_VERSION - 1);
        const ids = (of: Snapshot | 'torn') => (of === 'torn' ? of : of.keys.map(named).sort());
        assert.deepEqual(ids(objects.readable(before)), snapshot.keys.map(named).sort());
        const again = publishPlan(snapshot, 0, before, tools);
        assert.equal(again.pointer?.value.schemaVersion, SCHEMA_VERSION);
        assert.equal(again.pointer?.value.generation, before.generation + 1);
        assert.equal(again.shards.length, Object.keys(before.shards).length);
        objects.write(again);
        assert.deepEqual(ids(objects.readable(objects.pointer!)), snapshot.keys.map(named).sort());
        for (const { object } of again.shards)
          assert.ok(!Object.values(before.shards).some(shard => shard.object === object), 'what pods read was written over');
      }),
    );
  });
});
