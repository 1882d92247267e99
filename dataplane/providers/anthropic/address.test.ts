import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aRequest } from '#core/chat/testing.ts';
import { anthropic } from './index.ts';
import { targetOf } from './testing.ts';

const generate = { stream: false, action: 'generate' } as const;

describe('the address', () => {
  test('is the Messages API, with the key as x-api-key', () => {
    assert.deepEqual(anthropic.address(targetOf(), { ...generate, client: {} }), {
      origin: 'https://api.anthropic.com',
      path: '/v1/messages',
      headers: { accept: 'application/json', 'anthropic-version': '2023-06-01', 'x-api-key': 'sk-ant-test' },
    });
  });

  test('keeps the path of the base URL, and counts tokens elsewhere', () => {
    const address = anthropic.address(targetOf({ baseURL: 'http://127.0.0.1:9/proxy' }), {
      stream: false,
      action: 'count-tokens',
    });
    assert.deepEqual([address.origin, address.path], ['http://127.0.0.1:9', '/proxy/v1/messages/count_tokens']);
  });

  test('puts the key where the resource says', () => {
    const target = targetOf({ header: { name: 'Authorization', prefix: 'Bearer ' } });
    const { headers } = anthropic.address(target, generate);
    assert.equal(headers.authorization, 'Bearer sk-ant-test');
    assert.equal('x-api-key' in headers, false);
  });

  test('passes the version and the betas of a client of the same dialect on', () => {
    const client = { 'anthropic-version': '2026-10-21', 'anthropic-beta': 'files-api-2025-04-14,fast-mode-2026-02-01' };
    const { headers } = anthropic.address(targetOf({ version: '2023-06-01' }), { ...generate, client });
    assert.deepEqual(
      [headers['anthropic-version'], headers['anthropic-beta']],
      ['2026-10-21', 'files-api-2025-04-14,fast-mode-2026-02-01'],
    );
  });

  test('takes no version that is none', () => {
    const versionFor = (client: Record<string, string>, version?: string) =>
      anthropic.address(targetOf(version ? { version } : {}), { ...generate, client }).headers['anthropic-version'];
    assert.equal(versionFor({ 'anthropic-version': 'latest\r\nx: y' }), '2023-06-01');
    assert.equal(versionFor({}, '2026-10-21'), '2026-10-21');
  });

  test('chooses the newest version that can carry a translated request', () => {
    const versionFor = (upstreamName: string, temperature?: number) =>
      anthropic.address(targetOf({ upstreamName }), {
        ...generate,
        request: aRequest({ sampling: temperature === undefined ? {} : { temperature } }),
      }).headers['anthropic-version'];
    assert.equal(versionFor('claude-sonnet-4-5'), '2026-10-21');
    assert.equal(versionFor('claude-sonnet-4-5', 0), '2023-06-01');
    assert.equal(versionFor('claude-opus-5', 0), '2026-10-21', 'the model takes no temperature, so none is sent');
  });

  test('sees the sampling parameters of a cleaned body of the same dialect', () => {
    const versionFor = (body: Record<string, unknown>) =>
      anthropic.address(targetOf(), { ...generate, request: aRequest({ dialect: 'anthropic-messages', body }) }).headers[
        'anthropic-version'
      ];
    assert.equal(versionFor({ top_p: 0.5 }), '2023-06-01');
    assert.equal(versionFor({}), '2026-10-21');
  });
});
