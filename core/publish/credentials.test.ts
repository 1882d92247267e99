// However many credentials there are and however long: what is published has room, and only what fills it goes without.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anySnapshot } from '#test/support/snapshots.ts';
import type { Hook } from '../snapshot/snapshot.ts';
import { millis } from '../units.ts';
import { withRoomForCredentials } from './credentials.ts';

const anyCredentials = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 12 });

test('all that is kept has room, nothing that goes is shorter than what stays, and its providers go with it', () => {
  fc.assert(
    fc.property(anySnapshot, anyCredentials, fc.integer({ min: 0, max: 2_000 }), (any, lengths, maxBytes) => {
      const credentials = new Map(lengths.map((length, at) => [`team/secret-${at}/key`, 'x'.repeat(length)]));
      const refs = [...credentials.keys()];
      const header = { name: 'authorization', prefix: 'Bearer ' };
      const providers = Object.fromEntries(
        Object.entries(any.providers).map(([id, provider], at) => {
          const credential = refs[at];
          return [id, credential === undefined ? provider : { ...provider, auth: { credential, header } }];
        }),
      );
      const snapshot = { ...any, providers };
      const fitting = withRoomForCredentials(snapshot, credentials, maxBytes);
      const gone = refs.filter(ref => !fitting.credentials.has(ref));
      const lengthOf = (ref: string) => credentials.get(ref)!.length;
      assert.ok(JSON.stringify(Object.fromEntries(fitting.credentials)).length <= maxBytes + 2);
      for (const ref of gone) assert.ok([...fitting.credentials.keys()].every(kept => lengthOf(kept) <= lengthOf(ref) + 1));
      const needing = Object.keys(providers).filter(id => gone.includes(providers[id]!.auth?.credential ?? ''));
      assert.deepEqual(
        fitting.leftOut.filter(({ kind }) => kind === 'LLMProvider').map(({ id }) => id),
        needing,
      );
      assert.deepEqual(
        Object.keys(fitting.snapshot.providers),
        Object.keys(providers).filter(id => !needing.includes(id)),
      );
      if (gone.length === 0) assert.equal(fitting.snapshot, snapshot);
    }),
  );
});

test('a route whose hooks have lost their secret stays, so that they fail where they stand, and is told of', () => {
  fc.assert(
    fc.property(anySnapshot, any => {
      const headers = [{ name: 'authorization', value: 'Bearer ', credential: 'team/hook/key' as const }];
      const target = { origin: 'https://checks', path: '/', headers, timeout: millis(1), maxBodyBytes: 1024, window: 64 };
      const hook: Hook = {
        name: 'policy',
        when: 'Before',
        mode: 'Decide',
        holdStream: false,
        onFailure: 'Deny',
        http: target,
      } as const;
      const snapshot = { ...any, routes: any.routes.map((route, at) => (at === 0 ? { ...route, hooks: [hook] } : route)) };
      const fitting = withRoomForCredentials(snapshot, new Map([['team/hook/key', 'x'.repeat(100)]]), 50);
      assert.equal(fitting.snapshot.routes, snapshot.routes);
      assert.equal(fitting.credentials.size, 0);
      const told = fitting.leftOut.filter(({ kind }) => kind === 'LLMRoute').map(({ id }) => id);
      assert.deepEqual(
        told,
        snapshot.routes.slice(0, 1).map(({ id }) => id),
      );
    }),
  );
});
