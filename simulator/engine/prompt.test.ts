import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Answer } from '../answer.ts';
import type { Json } from '../shape.ts';
import { promptTotal, tokensOf } from '../tokens.ts';
import { openaiAsk } from '../wires/openai.ts';
import { blockHashes } from './prompt.ts';

const body = (...messages: readonly (readonly [role: string, content: unknown])[]): Json => ({
  model: 'tiny',
  messages: messages.map(([role, content]) => ({ role, content })),
});
const answer = (text: string): Answer => ({ thinking: [], text: tokensOf(text), calls: [], finish: 'stop' });

/** Blocks that two lists begin with. */
const common = (a: readonly string[], b: readonly string[]): number => {
  const differs = a.findIndex((hash, at) => hash !== b[at]);
  return differs < 0 ? a.length : differs;
};

test('there are as many full blocks as the usage has tokens', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { minLength: 1, maxLength: 5 }), texts => {
      const asked = body(...texts.map(text => ['user', text] as const));
      assert.equal(blockHashes(asked, [], 4).length, Math.floor(promptTotal(openaiAsk(asked).usage) / 4));
    }),
  );
});

test('prompts share the blocks of what they begin with, and only those', () => {
  const system = 'You are a careful assistant. '.repeat(20);
  const [a, b] = ['How are you?', 'What is the time?'].map(question =>
    blockHashes(body(['system', system], ['user', question]), [], 4),
  );
  assert.equal(common(a!, b!), Math.floor((system.length / 4 + 4) / 4));
});

test('the next turn begins with the whole of the last one and its answer', () => {
  const said = 'This is a long answer that fills some blocks of its own. '.repeat(3);
  const first = blockHashes(body(['user', 'Tell me something.']), [answer(said)], 4);
  const next = blockHashes(body(['user', 'Tell me something.'], ['assistant', said], ['user', 'And then?']), [], 4);
  assert.equal(common(first, next), first.length);
});

test('another model, another salt or another image shares nothing', () => {
  const image = (url: string) =>
    body([
      'user',
      [
        { type: 'image_url', image_url: { url } },
        { type: 'text', text: 'What is it?' },
      ],
    ]);
  const one = image('https://example.com/a.png');
  for (const other of [{ ...one, model: 'large' }, { ...one, cache_salt: 'other' }, image('https://example.com/b.png')])
    assert.equal(common(blockHashes(one, [], 4), blockHashes(other, [], 4)), 0);
});
