// What of the table of wires is said elsewhere too, or cannot be told by the compiler.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { providerTypes } from '#core/compile/provider-types.ts';
import type { Connection, ProviderType } from '#core/snapshot/snapshot.ts';
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import { unaryWireFor } from './index.ts';

const connections: Readonly<Record<ProviderType, Connection>> = {
  OpenAI: { type: 'OpenAI', baseURL: 'http://h/v1' },
  Anthropic: { type: 'Anthropic', baseURL: 'http://h' },
  AzureOpenAI: { type: 'AzureOpenAI', endpoint: 'http://h' },
  Gemini: { type: 'Gemini', baseURL: 'http://h' },
  Bedrock: { type: 'Bedrock', region: 'us-east-1' },
  OpenAICompatible: { type: 'OpenAICompatible', baseURL: 'http://h/v1' },
  VLLM: {
    type: 'VLLM',
    endpoints: ['http://h'],
    engine: 'vLLM',
    metricsPath: '/metrics',
    probes: { interval: 1, staleAfter: 1, queueDepth: 1, kvCacheUtilization: 1, wedgedAfter: 1 },
  } as unknown as Connection,
};
const models = ['text-embedding-3-small', 'amazon.titan-embed-text-v2:0', 'gemini-embedding-001'];

test('a type whose models make vectors, says compile, is one that can be asked for them', () => {
  for (const [type, connection] of Object.entries(connections)) {
    const provider = aProvider('p', { connection });
    const asked = models.some(name => unaryWireFor('Embeddings', { provider, model: aModel(name) }) !== undefined);
    assert.equal(asked, providerTypes[type as ProviderType].makesEmbeddings === true, type);
  }
});

test('models of Bedrock that have conversations alone make no vectors', () => {
  const provider = aProvider('p', { connection: connections.Bedrock });
  for (const name of ['anthropic.claude-sonnet-4-5-20250929-v1:0', 'amazon.nova-pro-v1:0', 'cohere.command-r-v1:0'])
    for (const operation of ['Embeddings', 'Rerank', 'Moderations'] as const)
      assert.equal(unaryWireFor(operation, { provider, model: aModel(name) }), undefined, `${name} ${operation}`);
});
