// When a write is worth a request, and when not.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { differences } from './diff.ts';

const metadata = { name: 'a', namespace: 'b' };
const status = (...conditions: object[]) => ({ metadata, status: { conditions } });

describe('the difference between what is wanted and what is there', () => {
  const owned = ['status'];

  test('is all of it where there is nothing', () => {
    assert.deepEqual(differences(status(), undefined, { owned }), ['(missing)']);
  });

  test('is not what others say', () => {
    const live = { metadata: { ...metadata, uid: 'x', labels: { theirs: '1', ours: '1' } }, spec: { a: 1 } };
    assert.deepEqual(differences({ metadata: { ...metadata, labels: { ours: '1' } } }, live, { owned }), []);
    assert.deepEqual(differences({ metadata: { ...metadata, labels: { ours: '2' } } }, live, { owned }), [
      'metadata.labels.ours',
    ]);
  });

  test('is what is left over in a field that is wholly ours', () => {
    const live = { metadata, status: { level: 'OK', old: { a: 1 } } };
    assert.deepEqual(differences({ metadata, status: { level: 'OK' } }, live, { owned }), ['status.old']);
    assert.deepEqual(differences({ metadata }, live, { owned }), ['status']);
    assert.deepEqual(differences({ metadata, status: { level: 'OK', old: undefined } }, live, { owned }), ['status.old']);
  });

  test('is not the order of conditions, but that of any other list', () => {
    const [accepted, ready] = [
      { type: 'Accepted', status: 'True' },
      { type: 'Ready', status: 'False' },
    ];
    assert.deepEqual(differences(status(accepted!, ready!), status(ready!, accepted!), { owned }), []);
    assert.deepEqual(differences(status(accepted!), status(ready!), { owned }), ['status.conditions[0]']);
    assert.deepEqual(differences({ status: { names: ['a', 'b'] } }, { status: { names: ['b', 'a'] } }, { owned }), [
      'status.names[0]',
      'status.names[1]',
    ]);
  });

  test('is not what the server leaves out because it is empty', () => {
    assert.deepEqual(differences({ status: { names: [], levels: {} } }, { status: {} }, { owned }), []);
  });

  test('knows a field that every object inherits from one that it has', () => {
    assert.deepEqual(differences({ status: { valueOf: '1' } }, { status: {} }, { owned }), ['status.valueOf']);
    assert.deepEqual(differences({ status: {} }, { status: { toString: '1' } }, { owned }), ['status.toString']);
  });

  test('is nothing between any object and its copy through JSON, and something after any change of a value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), fc.string(), (fields, key) => {
        const wanted = { status: fields };
        const live = JSON.parse(JSON.stringify(wanted)) as typeof wanted;
        assert.deepEqual(differences(wanted, live, { owned }), []);
        const changed = { status: { ...live.status, [key]: 'something else entirely' } };
        const isSame = fields[key] === 'something else entirely';
        assert.equal(differences(wanted, changed, { owned }).length > 0, !isSame);
      }),
    );
  });
});
