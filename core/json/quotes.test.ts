import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Quotes } from './quotes.ts';

test('within a string, wherever the text is cut', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.nat(), { maxLength: 4 }), fc.string(), (value, cuts, put) => {
      const json = JSON.stringify([value, 'in', 17]);
      const quotes = new Quotes();
      const at = [0, ...cuts.map(cut => cut % json.length).sort((a, b) => a - b), json.length];
      for (const [i, end] of at.slice(1).entries()) quotes.push(json.slice(at[i], end));
      const [within, outside] = [json.length - '",17]'.length, json.length - '17]'.length];
      const string = quotes.writtenAt(within, put);
      assert.deepEqual(JSON.parse(`${json.slice(0, within)}${string}${json.slice(within)}`).at(-2), `in${put}`);
      assert.deepEqual(JSON.parse(`${json.slice(0, outside)}${quotes.writtenAt(outside, put)}]`).at(-1), put);
    }),
  );
});
