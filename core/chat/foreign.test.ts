import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isUnsigned, type Maker, portableToolId, shortToolId, signatureOf, signedBy, UNSIGNED } from './foreign.ts';

describe('a tool id', () => {
  test('stays as it is where every provider takes it', () => {
    for (const id of ['call_abc-123', 'toolu_01', 'x'.repeat(64)]) assert.equal(portableToolId(id), id);
  });

  test('is portable whatever it was, and stays so', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), id => {
        const portable = portableToolId(id);
        assert.match(portable, /^[a-zA-Z0-9_-]{1,64}$/);
        assert.equal(portableToolId(portable), portable);
      }),
    );
  });

  test('stays apart from one that differs in a replaced character or behind the cut', () => {
    assert.notEqual(portableToolId('a.b'), portableToolId('a:b'));
    assert.notEqual(portableToolId(`${'x'.repeat(70)}1`), portableToolId(`${'x'.repeat(70)}2`));
  });
});

describe('a short tool id', () => {
  test('stays as it is where it is one', () => {
    assert.equal(shortToolId('a1B2c3D4e'), 'a1B2c3D4e');
  });

  test('is nine letters and digits for any id, and another one for another', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 50 }), ids => {
        const short = ids.map(shortToolId);
        for (const id of short) assert.match(id, /^[a-zA-Z0-9]{9}$/);
        assert.equal(new Set(short).size, ids.length);
      }),
    );
  });
});

test('thinking is unsigned without a signature, with an empty one and with our mark', () => {
  assert.deepEqual([undefined, '', UNSIGNED, 'EqQBCgIYAhIM'].map(isUnsigned), [true, true, true, false]);
});

test('a signature is read by its maker alone', () => {
  const makers: readonly Maker[] = ['anthropic', 'openai', 'google'];
  for (const maker of makers)
    for (const reader of makers)
      assert.equal(signatureOf(reader, signedBy(maker, 'EqQB.x')), reader === maker ? 'EqQB.x' : undefined);
  for (const reader of makers)
    assert.deepEqual(
      [undefined, '', UNSIGNED].map(it => signatureOf(reader, it)),
      [undefined, undefined, undefined],
    );
});
