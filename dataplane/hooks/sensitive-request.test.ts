// What a masked request says to its provider: the same JSON, but for what was found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SENSITIVE_KINDS } from '#core/sensitive/kinds.ts';
import { Masks, wantedOf } from '#core/sensitive/masks.ts';
import { findInRequest, maskedRequest } from './sensitive-request.ts';

async function masked(json: string): Promise<string> {
  const masks = new Masks();
  const found = await findInRequest(json, wantedOf(SENSITIVE_KINDS));
  return maskedRequest(json, found, ({ kind, text }) => masks.placeholderOf(kind, text, true));
}

test('arguments of tools stay JSON, whether a string or a number was found in them', async () => {
  const call = (args: string) => JSON.stringify({ messages: [{ tool_calls: [{ function: { arguments: args } }] }] });
  const args = '{"to":"jo@example.com","cards":[4111111111111111,17],"note":"\\"4111 1111 1111 1111\\""}';
  assert.equal(
    await masked(call(args)),
    call('{"to":"[EMAIL_1]","cards":["[CREDIT_CARD_1]",17],"note":"\\"[CREDIT_CARD_2]\\""}'),
  );
});

test('a text whose type stands behind it is masked in its place', async () => {
  const source = (data: string) => `{"source":{"data":"${data}","title":"of jo@example.com","type":"text"}}`;
  assert.equal(await masked(source('Ask ann@example.com')), source('Ask [EMAIL_1]').replace('jo@example.com', '[EMAIL_2]'));
});

test('texts longer than a turn, and more of them than one turn takes, are looked through to the end', async () => {
  const texts = (end: string) => JSON.stringify({ input: [`${'word '.repeat(20_000)}${end}`, ...Array(5_000).fill('.'), end] });
  assert.equal(await masked(texts('jo@example.com')), texts('[EMAIL_1]'));
});
