// Upper bounds from real bodies: never less than what a provider would count, whatever is in them.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { scanObject } from '#core/json/scan.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Price } from '#core/snapshot/snapshot.ts';
import { millis, nanoUsd, picoUsd } from '#core/units.ts';
import { estimateTokens } from '#platform/token-estimate.ts';
import { AttemptBounds, InputKnowledge } from './bounds.ts';
import type { Exchange } from './exchange.ts';
import { endpointOf } from './frontends/index.ts';
import type { OutputAsked, Provider } from './providers/provider.ts';

const rate = picoUsd(1000);
const price: Price = {
  source: 'provider',
  version: '1',
  tiers: [],
  rates: {
    input: rate,
    cacheRead: rate,
    cacheWrite5m: rate,
    cacheWrite1h: rate,
    output: rate,
    reasoning: rate,
    audioInput: picoUsd(5000),
    audioOutput: picoUsd(1000),
    perRequest: nanoUsd(0),
  },
};

/** A nano-dollar a token, so that costs read as tokens. */
function boundsOf(path: string, body: object | string, output: OutputAsked = { maxTokens: 0, choices: 1 }, model: object = {}) {
  const scanned = scanObject(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
    maxDepth: 64,
    interpreted: new Set(),
    isUtf8,
  });
  assert.ok(scanned.ok);
  const exchange = { ...endpointOf(path)! } as Exchange;
  const input = new InputKnowledge(exchange, scanned.value, estimateTokens);
  const candidate = { model: { price, ...model } } as unknown as Candidate;
  return new AttemptBounds(input, candidate, { tokenizer: 'own' } as Provider, output, millis(1000));
}
const CHAT = '/v1/chat/completions';
const chat = (...content: unknown[]) => ({ model: 'm', messages: content.map(c => ({ role: 'user', content: c })) });
const picture = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };

describe('the bound of an input', () => {
  test('is no less than a count of its text, by bytes and counted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { minLength: 1, maxLength: 5 }), async texts => {
        const body = chat(...texts);
        const real = await estimateTokens(texts.join('\n'));
        for (const basis of ['bytes', 'counted'] as const) {
          const { cost } = await boundsOf(CHAT, body).bound(basis);
          assert.ok(cost >= real, `${basis}: ${cost} < ${real}`);
        }
      }),
      { numRuns: 40 },
    );
  });
  test('is tighter when counted', async () => {
    const bounds = boundsOf(CHAT, chat('The quick brown fox jumps over the lazy dog. '.repeat(20)));
    const [bytes, counted] = [await bounds.bound('bytes'), await bounds.bound('counted')];
    assert.ok(counted.cost < bytes.cost / 2, `${counted.cost} of ${bytes.cost}`);
  });
  test('has room for pictures and documents that the body only names, in chat and in messages', async () => {
    const plain = (await boundsOf(CHAT, chat('hi')).bound('bytes')).cost;
    const one = (await boundsOf(CHAT, chat([picture])).bound('bytes')).cost;
    const two = (await boundsOf(CHAT, chat([picture, picture])).bound('bytes')).cost;
    assert.ok(one > plain + 5_000 && two > one + 5_000, `${plain} ${one} ${two}`);
    const document = { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } };
    const read = (await boundsOf('/v1/messages', { ...chat([document]), max_tokens: 1 }).bound('bytes')).cost;
    assert.ok(read > 100_000, String(read));
  });
  test('counts a part that we do not know as a picture, and text that only talks of one as text', async () => {
    const unknown = (await boundsOf(CHAT, chat([{ type: 'image_of_tomorrow' }])).bound('bytes')).cost;
    assert.ok(unknown > 5_000, String(unknown));
    const talk = (await boundsOf(CHAT, chat('"type": "image_url"')).bound('bytes')).cost;
    assert.ok(talk < 500, String(talk));
  });
  test('has room for a picture whose words are written as escapes', async () => {
    const plain = JSON.stringify(chat([picture]));
    const hidden = plain
      .replace('"image_url"', '"\\u0069mage_url"')
      .replace('"image_url":', '"image_ur\\u006c":')
      .replace('"type"', '"\\u0074ype"');
    assert.deepEqual(JSON.parse(hidden), JSON.parse(plain));
    const { cost } = await boundsOf(CHAT, hidden).bound('bytes');
    assert.ok(cost > 5_000, String(cost));
    const unknown = (await boundsOf(CHAT, hidden.replace('mage_url"', 'mage_of_tomorrow"')).bound('bytes')).cost;
    assert.ok(unknown > 5_000, String(unknown));
    const audio = JSON.stringify(chat([{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }]));
    const heard = (await boundsOf(CHAT, audio.replaceAll('input_audio', 'input_\\u0061udio')).bound('bytes')).cost;
    assert.ok(heard > audio.length * 4, String(heard));
  });
  test('counts what is prompt outside of the messages: schemas, grammars, templates', async () => {
    const text = 'one of the words that a schema has '.repeat(100);
    const real = await estimateTokens(text);
    for (const field of ['response_format', 'guided_json', 'chat_template', 'functions'])
      for (const basis of ['bytes', 'counted'] as const) {
        const { cost } = await boundsOf(CHAT, { ...chat('hi'), [field]: { description: text } }).bound(basis);
        assert.ok(cost >= real, `${field}, ${basis}: ${cost} < ${real}`);
      }
    const labelled = await boundsOf(CHAT, { ...chat('hi'), metadata: { a: text } }).bound('counted');
    assert.ok(labelled.cost < 100, String(labelled.cost));
  });
  test('is never more than fits into the model', async () => {
    const { cost } = await boundsOf(CHAT, chat([picture]), { maxTokens: 0, choices: 1 }, { contextWindow: 1000 }).bound('bytes');
    assert.equal(cost, 1000);
  });
  test('takes the dearer price of audio where there is any', async () => {
    const audio = { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } };
    const [with_, without] = [
      (await boundsOf(CHAT, chat([audio])).bound('bytes')).cost,
      (await boundsOf(CHAT, chat([{ type: 'text', text: 'AAAA of the same length as the audio' }])).bound('bytes')).cost,
    ];
    assert.ok(with_ > without * 3, `${with_} ${without}`);
  });
});

describe('the bound of an output', () => {
  test('is what was asked for, for each choice; else what the model may give; else a default', async () => {
    const input = (await boundsOf(CHAT, chat('hi')).bound('bytes')).cost;
    const outputs: [OutputAsked, object, number][] = [
      [{ maxTokens: 7, choices: 1 }, { maxOutputTokens: 100 }, 7],
      [{ maxTokens: 7, choices: 3 }, {}, 21],
      [{ choices: 2 }, { maxOutputTokens: 100 }, 200],
      [{ choices: 1 }, {}, 4096],
    ];
    for (const [asked, model, tokens] of outputs)
      assert.equal((await boundsOf(CHAT, chat('hi'), asked, model).bound('bytes')).cost - input, tokens);
  });
  test('has room for a prediction, which is billed as output where the answer is another', async () => {
    const prediction = { type: 'content', content: 'x'.repeat(1000) };
    const asked = { maxTokens: 1, choices: 1 };
    const [plain, predicted] = await Promise.all(
      [{}, { prediction }].map(more => boundsOf(CHAT, { ...chat('hi'), ...more }, asked).bound('counted')),
    );
    assert.ok(predicted!.cost >= plain!.cost + 1000, `${plain!.cost} ${predicted!.cost}`);
  });
  test('is nothing for a count of tokens', async () => {
    const bounds = boundsOf('/v1/messages/count_tokens', chat('hi'), { choices: 1 });
    assert.deepEqual(await bounds.bound('bytes'), { cost: 0, tokens: 0 });
  });
  test('fits what is left, or says that nothing does, or that nothing has to be shortened', async () => {
    const asked = { maxTokens: 100, choices: 1 };
    const bounds = boundsOf(CHAT, chat('hi'), asked);
    const input = (await bounds.bound('counted', 0)).cost;
    assert.equal(await bounds.outputThatFits(nanoUsd(input + 30)), 30);
    assert.equal(await bounds.outputThatFits(nanoUsd(input)), undefined);
    assert.equal(await bounds.outputThatFits(nanoUsd(input + 1000)), undefined);
  });
});
