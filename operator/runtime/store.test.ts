// What a reflector's copy makes of lists and events, in any order.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '#platform/kube/resource.ts';
import { type Change, ObjectStore, withoutBookkeeping } from './store.ts';

const object = (name: string, version: number): KubeObject => ({
  metadata: { name, namespace: 'ns', uid: name, resourceVersion: String(version) },
});
const newStore = (): ObjectStore<KubeObject> => new ObjectStore(withoutBookkeeping);

describe('the store', () => {
  test('takes a list as the truth: what it lacks is gone, what has the same version did not change', () => {
    const store = newStore();
    store.replace([object('same', 1), object('changed', 1), object('gone', 1)], true);
    const kept = store.objects.get('ns/same');
    const changes = store.replace([object('same', 1), object('changed', 2), object('new', 3)], false);
    assert.deepEqual(
      changes.map(({ kind, key }) => `${kind} ${key}`),
      ['updated ns/changed', 'added ns/new', 'deleted ns/gone'],
    );
    assert.equal(store.objects.get('ns/same'), kept);
  });

  test('says nothing about an event that it knows already, or of the end of what it never knew', () => {
    const store = newStore();
    store.replace([object('a', 1)], true);
    assert.equal(store.take('added', object('a', 1)), undefined);
    assert.equal(store.take('deleted', object('b', 2)), undefined);
  });

  test('hands out the last state of what was deleted', () => {
    const store = newStore();
    store.replace([object('a', 1)], true);
    assert.equal(store.take('deleted', object('a', 5))?.object.metadata.resourceVersion, '5');
    assert.equal(store.objects.size, 0);
  });

  test('keeps neither managed fields nor what kubectl applied last, and freezes the rest in depth', () => {
    const store = newStore();
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'x' };
    store.take('added', { metadata: { ...object('a', 1).metadata, annotations, managedFields: [{}] } });
    const { metadata } = store.objects.get('ns/a')!;
    assert.deepEqual(metadata, { ...object('a', 1).metadata, annotations: { mine: 'x' } });
    assert.ok(Object.isFrozen(metadata.annotations));
  });

  test('whoever follows its changes knows what it knows', () => {
    type Step = { readonly list: readonly string[] } | { readonly kind: 'added' | 'modified' | 'deleted'; readonly name: string };
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ list: fc.uniqueArray(name) }),
      fc.record({ kind: fc.constantFrom('added', 'modified', 'deleted'), name }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(fc.boolean(), { maxLength: 40 }), (steps, isNew) => {
        const store = newStore();
        const followed = new Map<string, KubeObject>();
        let version = 0;
        const follow = (change: Change<KubeObject> | undefined): void => {
          if (!change) return;
          assert.equal(followed.has(change.key), change.kind !== 'added', change.kind);
          if (change.kind === 'deleted') followed.delete(change.key);
          else followed.set(change.key, change.object);
        };
        for (const [index, of] of steps.entries()) {
          if (isNew[index]) version += 1;
          if ('list' in of)
            store
              .replace(
                of.list.map(each => object(each, version)),
                index === 0,
              )
              .forEach(follow);
          else follow(store.take(of.kind, object(of.name, version)));
          assert.deepEqual(followed, store.objects);
        }
      }),
    );
  });
});
