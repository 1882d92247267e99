import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keysToGenerate, needsCatalogue } from './index.ts';

const object = (kind: string, spec: unknown, metadata: unknown = { name: 'x' }) => ({
  value: { apiVersion: 'tollgate.dev/v1alpha1', kind, metadata, spec },
});
const price = { inputPerMTok: '1' };

test('the catalogue is needed where a model leaves its price or its context window to it', () => {
  assert.equal(needsCatalogue([object('LLMProvider', { models: [{ name: 'm', price, contextWindow: 8192 }] })]), false);
  assert.equal(needsCatalogue([object('LLMProvider', { models: [{ name: 'm', price }] })]), true);
  assert.equal(needsCatalogue([object('LLMProvider', { models: [{ name: 'm', contextWindow: 8192 }] })]), true);
  const tools = { perToolCall: { webSearch: '0.01' } };
  assert.equal(needsCatalogue([object('LLMProvider', { models: [{ name: 'm', price: tools, contextWindow: 8192 }] })]), true);
  assert.equal(
    needsCatalogue([object('TenantKey', { models: [{}] }), object('LLMProvider', { models: 'm' }), { value: null }]),
    false,
  );
});

test('keys to generate come with their defaults, and only those whose resource is valid', () => {
  const generate = { secretName: 'a-key' };
  assert.deepEqual(
    keysToGenerate([
      object('TenantKey', { tenant: 't', generate }, { name: 'a' }),
      object(
        'TenantKey',
        { tenant: 't', generate: { ...generate, prefix: 'sk-b-', bytes: 16 } },
        { name: 'b', namespace: 'team' },
      ),
      object('TenantKey', { tenant: 't', generate: { ...generate, bytes: 1 } }, { name: 'c' }),
      object('TenantKey', { tenant: 't', secretRef: { name: 's', key: 'k' } }, { name: 'd' }),
      { value: 'text' },
    ]),
    [
      { id: 'default/a', secretName: 'a-key', prefix: 'sk-', bytes: 32 },
      { id: 'team/b', secretName: 'a-key', prefix: 'sk-b-', bytes: 16 },
    ],
  );
});
