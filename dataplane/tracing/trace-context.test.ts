// W3C Trace Context: what is taken, and what is the same as nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { traceParentIn, traceParentText, traceStateIn } from './trace-context.ts';

const hex = (length: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
    .filter(id => !/^0+$/.test(id));

test('what is written is read', () => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
      const parent = { traceId, spanId, sampled };
      assert.deepEqual(traceParentIn(traceParentText(parent)), parent);
    }),
  );
});

const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];

test('a later version is read as far as this one goes, and of the flags only the one for sampling counts', () => {
  assert.deepEqual(traceParentIn(`cc-${trace}-${span}-01-what-comes`), { traceId: trace, spanId: span, sampled: true });
  assert.deepEqual(traceParentIn(`00-${trace}-${span}-fe`), { traceId: trace, spanId: span, sampled: false });
});

test('what makes no sense is as if it were not there', () => {
  for (const header of [
    undefined,
    '',
    [`00-${trace}-${span}-01`],
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-${span}`,
    ` 00-${trace}-${span}-01`,
  ])
    assert.equal(traceParentIn(header), undefined, String(header));
});

test('a tracestate is passed on unless it is longer than anybody has to take', () => {
  assert.equal(traceStateIn('a=1,b=2'), 'a=1,b=2');
  assert.equal(traceStateIn('x'.repeat(513)), undefined);
});
