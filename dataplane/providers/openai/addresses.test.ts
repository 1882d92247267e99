// Where the four providers of the dialect send a request, with which headers, and what they change in a body that is passed through.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Connection } from '#core/snapshot/snapshot.ts';
import { azureOpenAI } from '../azure-openai/index.ts';
import { openAICompatible } from '../openai-compatible/index.ts';
import type { Target } from '../provider.ts';
import { vllm } from '../vllm/index.ts';
import { openAI } from './index.ts';

const options = { stream: false, action: 'generate' } as const;

function target<C extends Connection>(
  connection: C,
  more: { header?: { name: string; prefix: string }; credential?: string; endpoint?: string } = {},
): Target<C> {
  const { header = { name: 'Authorization', prefix: 'Bearer ' }, ...rest } = more;
  return {
    provider: { connection, auth: { credential: 'ns/secret/key', header } },
    model: { upstreamName: 'gpt 4o' },
    ...rest,
  } as unknown as Target<C>;
}

test('OpenAI: the path below the base URL, the key, organization and project', () => {
  const connection = { type: 'OpenAI', baseURL: 'https://api.openai.com/v1', organization: 'org-1', project: 'proj_1' } as const;
  assert.deepEqual(openAI.address(target(connection, { credential: 'sk-1' }), options), {
    origin: 'https://api.openai.com',
    path: '/v1/chat/completions',
    headers: { authorization: 'Bearer sk-1', 'openai-organization': 'org-1', 'openai-project': 'proj_1' },
  });
});

test('a compatible server: any path, and no key where there is none', () => {
  const connection = { type: 'OpenAICompatible', baseURL: 'http://127.0.0.1:11434/some/v1' } as const;
  assert.deepEqual(openAICompatible.address(target(connection), options), {
    origin: 'http://127.0.0.1:11434',
    path: '/some/v1/chat/completions',
    headers: {},
  });
});

test('vLLM: the endpoint that was chosen', () => {
  const connection = { type: 'VLLM', endpoints: ['http://a:8000', 'http://b:8000'] } as unknown as Extract<
    Connection,
    { type: 'VLLM' }
  >;
  const address = vllm.address(target(connection, { endpoint: 'http://b:8000' }), options);
  assert.deepEqual([address.origin, address.path], ['http://b:8000', '/v1/chat/completions']);
});

describe('Azure: the form of the path goes by the version', () => {
  const rows: readonly (readonly [apiVersion: string | undefined, path: string])[] = [
    ['2024-10-21', '/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21'],
    ['2025-01-01-preview', '/openai/deployments/gpt%204o/chat/completions?api-version=2025-01-01-preview'],
    [undefined, '/openai/v1/chat/completions'],
    ['v1', '/openai/v1/chat/completions'],
    ['preview', '/openai/v1/chat/completions?api-version=preview'],
  ];
  for (const [apiVersion, path] of rows) {
    test(`${apiVersion}: ${path}`, () => {
      const connection = {
        type: 'AzureOpenAI',
        endpoint: 'https://r.openai.azure.com',
        ...(apiVersion !== undefined && { apiVersion }),
      } as const;
      const address = azureOpenAI.address(
        target(connection, { header: { name: 'api-key', prefix: '' }, credential: 'k' }),
        options,
      );
      assert.deepEqual(address, { origin: 'https://r.openai.azure.com', path, headers: { 'api-key': 'k' } });
    });
  }
});

describe('in a body that is passed through', () => {
  const edits = (body: Record<string, unknown>, stream: boolean) =>
    Object.fromEntries(openAI.passthroughEdits({ has: name => Object.hasOwn(body, name), get: name => body[name] }, stream));
  const wanted = { stream_options: '{"include_usage":true}' };

  test('nothing changes without a stream', () =>
    assert.deepEqual(edits({ stream_options: { include_usage: false } }, false), {}));
  test('usage is asked for', () => assert.deepEqual(edits({}, true), wanted));
  test('usage is asked for in the place of null', () => assert.deepEqual(edits({ stream_options: null }, true), wanted));
  test('usage is asked for once', () => assert.deepEqual(edits({ stream_options: { include_usage: true } }, true), {}));
  test('other options of the stream stay', () => {
    const stream_options = { include_obfuscation: false, include_usage: false };
    assert.deepEqual(edits({ stream_options }, true), { stream_options: '{"include_obfuscation":false,"include_usage":true}' });
  });
});
