import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { scanObject } from '#core/json/scan.ts';
import type { Needed } from '#core/plan/needs.ts';
import { anthropicMessages } from './frontends/anthropic-messages/index.ts';
import { openAIChat } from './frontends/openai-chat/index.ts';
import { BodyNeeds } from './needs.ts';

type Of = {
  frontend?: typeof openAIChat;
  action?: 'generate' | 'count-tokens';
  headers?: Record<string, string>;
  tenant?: string;
  model?: string;
};
function needsOf(
  body: unknown,
  { frontend = openAIChat, action = 'generate', headers = {}, tenant = 'acme', model = 'm' }: Of = {},
): BodyNeeds {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const scanned = scanObject(bytes, { maxDepth: 128, interpreted: new Set(), isUtf8 });
  assert.ok(scanned.ok);
  return new BodyNeeds({ frontend, action, headers }, scanned.value, tenant, model);
}
const user = (content: unknown) => ({ role: 'user', content });
const chat = (content: unknown, more = {}) => ({ model: 'm', messages: [user(content)], ...more });
const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
const schema = { type: 'json_schema', json_schema: { name: 'x', schema: {} } };

const rows: [sentence: string, body: unknown, needed: readonly Needed[], frontend?: typeof openAIChat][] = [
  ['text', chat('Hi'), ['Chat']],
  ['an image of OpenAI', chat([{ type: 'text', text: 'What?' }, image]), ['Chat', 'Vision']],
  ['an image of Anthropic', chat([{ type: 'image', source: { type: 'url', url: 'https://x.test/' } }]), ['Chat', 'Vision']],
  [
    'an image with spaces around its type',
    `{"model":"m","messages":[{"content":[{ "type" : \n"image_url" }]}]}`,
    ['Chat', 'Vision'],
  ],
  ['text that speaks of images', chat('{"type": "image_url"} and "image"'), ['Chat']],
  [
    'an argument that is called image',
    chat([{ type: 'tool_use', id: '1', name: 'draw', input: { image: 'x', kind: 'image' } }]),
    ['Chat'],
  ],
  ['tools', chat('Hi', { tools: [{ type: 'function' }] }), ['Chat', 'Tools']],
  ['functions', chat('Hi', { functions: [{ name: 'f' }] }), ['Chat', 'Tools']],
  ['an empty list of tools', chat('Hi', { tools: [] }), ['Chat']],
  ['a schema', chat('Hi', { response_format: schema }), ['Chat', 'JSONSchema']],
  ['any JSON', chat('Hi', { response_format: { type: 'json_object' } }), ['Chat']],
  ['a schema of Anthropic', chat('Hi', { output_config: { format: schema } }), ['Chat', 'JSONSchema'], anthropicMessages],
  ['a schema of Anthropic, as it was', chat('Hi', { output_format: schema }), ['Chat', 'JSONSchema'], anthropicMessages],
];
for (const [sentence, body, needed, frontend] of rows)
  test(`${sentence} needs ${needed.join(' and ')}`, () => {
    const all = ['Chat', 'Embeddings', 'Tools', 'Vision', 'JSONSchema'] as const;
    assert.deepEqual(
      all.filter(capability => needsOf(body, frontend && { frontend }).needs(capability)),
      needed,
    );
  });

describe('the least size of a prompt', () => {
  test('is below every count of tokens: an eighth of its bytes, less where letters take more', () => {
    const text = 'word '.repeat(1000);
    assert.ok(needsOf(chat(text)).leastInputTokens() > 600 && needsOf(chat(text)).leastInputTokens() < 1001);
    assert.ok(needsOf(chat('й'.repeat(1000))).leastInputTokens() < 100);
    assert.ok(needsOf(JSON.stringify(chat('x')).replace('"x"', `"${'\\u0439'.repeat(1000)}"`)).leastInputTokens() < 200);
  });
  test('is not known of images and documents', () => {
    for (const part of [image, { type: 'document', source: {} }, { type: 'file', file: {} }, { type: 'input_audio' }])
      assert.equal(needsOf(chat([{ type: 'text', text: 'x'.repeat(10_000) }, part])).leastInputTokens(), 0);
  });
});

test('the longest answer is what the body says, under either name', () => {
  assert.equal(needsOf(chat('Hi')).maxOutputTokens(), undefined);
  assert.equal(needsOf(chat('Hi', { max_tokens: 100 })).maxOutputTokens(), 100);
  assert.equal(needsOf(chat('Hi', { max_completion_tokens: 50, max_tokens: 100 })).maxOutputTokens(), 50);
  assert.equal(needsOf(chat('Hi', { max_tokens: null })).maxOutputTokens(), undefined);
});

describe('the prefix', () => {
  const turns = (...contents: string[]) => ({
    model: 'm',
    messages: contents.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })),
  });
  test('is that of all turns of a conversation', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), fc.string(), (said, next) => {
        assert.equal(needsOf(turns(...said)).prefix(), needsOf(turns(...said, next, next)).prefix());
      }),
    );
  });
  test('differs by tenant, by model and by how a conversation begins', () => {
    const of = (body: unknown, more: Of = {}) => needsOf(body, more).prefix();
    const all = [
      of(turns('a')),
      of(turns('b')),
      of(turns('a'), { tenant: 'other' }),
      of(turns('a'), { model: 'other' }),
      of({ ...turns('a'), system: 'Be kind.' }, { frontend: anthropicMessages }),
    ];
    assert.equal(new Set(all).size, all.length);
  });
  test('reads no more than the first kilobyte', () => {
    const long = 'x'.repeat(2000);
    assert.equal(needsOf(turns(`${long}a`)).prefix(), needsOf(turns(`${long}b`)).prefix());
  });
});

test('a session is of its tenant', () => {
  const of = (tenant: string, value?: string) =>
    needsOf(chat('Hi'), { tenant, headers: value === undefined ? {} : { 'x-session-id': value } }).session('x-session-id');
  assert.equal(of('acme'), undefined);
  assert.equal(of('acme', ''), undefined);
  assert.notEqual(of('acme', 's'), of('other', 's'));
});

test('Messages is Chat too', () => {
  assert.equal(needsOf(chat('Hi'), { frontend: anthropicMessages }).needs('Chat'), true);
});

test('a count of tokens needs nothing but a model to count for, however long the prompt', () => {
  const needs = needsOf(chat([{ type: 'text', text: 'x'.repeat(100_000) }, image], { tools: [{}] }), { action: 'count-tokens' });
  assert.deepEqual([needs.needs('Vision'), needs.needs('Tools'), needs.needs('Chat')], [false, false, true]);
  assert.equal(needsOf(chat('x'.repeat(100_000)), { action: 'count-tokens' }).leastInputTokens(), 0);
});
