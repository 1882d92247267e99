// The HTTP client against sockets that do what no good server does.
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '#platform/http-ask.ts';
import { createHttpClient, type HttpClient, type HttpError } from '#platform/http-client.ts';
import { type RawUpstream, startPort } from '#test/support/raw-upstream.ts';
import { until, within } from '#test/support/until.ts';

describe('a connection', () => {
  let client: HttpClient;
  let silent: RawUpstream;
  before(async () => {
    client = createHttpClient({ isForbidden: () => false });
    silent = await startPort(socket => socket.resume());
  });
  after(async () => {
    await client.close();
    await silent.close();
  });

  const failureOf = (origin: string, connectTimeoutMs: number, headers: Record<string, string> = {}): Promise<HttpError> =>
    new Promise((resolve, reject) => {
      const request = { method: 'POST', origin, path: '/', headers, body: '{}', connectTimeoutMs };
      const unexpected = () => reject(new Error('it answered'));
      client.send(request, { onHead: unexpected, onData: unexpected, onEnd: unexpected, onError: resolve });
    });

  test('that is not encrypted in time is given up in that time, not at the next tick of some slow clock', async () => {
    const secure = silent.url.replace('http:', 'https:');
    const failed = failureOf(secure, 50);
    const first = await within(10_000, 'the limit', Promise.race([failed, delay(450, 'too late' as const)]));
    assert.deepEqual(first, { kind: 'connect-timeout', code: 'UND_ERR_CONNECT_TIMEOUT' });
  });

  test('that is not made holds up no other request: all of them fail in their own time, none after the other', async () => {
    const secure = silent.url.replace('http:', 'https:');
    const all = Promise.all(Array.from({ length: 20 }, () => failureOf(secure, 100)));
    const failures = await within(10_000, 'all limits', Promise.race([all, delay(1500, 'one after the other' as const)]));
    assert.ok(Array.isArray(failures), String(failures));
    for (const { kind } of failures) assert.equal(kind, 'connect-timeout');
  });

  test('that is refused has failed before anything was sent', async () => {
    const { kind, code } = await within(10_000, 'the refusal', failureOf('http://127.0.0.1:1', 5000));
    assert.deepEqual([kind, code], ['connect', 'ECONNREFUSED']);
  });

  test('for a request that nobody can send: it fails as any other, once `send` has returned', async () => {
    const { url } = silent;
    for (const headers of [{ 'transfer-encoding': 'x' }, { upgrade: 'h2c' }, { expect: '100-continue' }]) {
      assert.equal((await failureOf(url, 1000, headers)).kind, 'connect');
      const request = { method: 'POST', origin: url, path: '/', headers, body: '{}', connectTimeoutMs: 1000 };
      assert.deepEqual(await ask(client, request, { timeoutMs: 10_000, maxBytes: 100 }), { failed: 'connect' });
    }
  });

  test('to a name is one look-up for all that wait for it: a resolver that is silent takes one thread', async t => {
    const answers: ((error: Error) => void)[] = [];
    const { mock } = t.mock.method(dns, 'lookup', (_host: string, _options: object, done: (error: Error) => void) => {
      answers.push(done);
    });
    syncBuiltinESMExports();
    t.after(() => {
      mock.restore();
      syncBuiltinESMExports();
    });
    const failures = Array.from({ length: 20 }, () => failureOf('http://silent.example.com', 5000));
    await until('the name is asked for', () => answers.length > 0);
    await delay(20);
    assert.equal(answers.length, 1);
    answers[0]!(Object.assign(new Error('no answer'), { code: 'EAI_AGAIN' }));
    for (const { kind, code } of await Promise.all(failures)) assert.deepEqual([kind, code], ['connect', 'EAI_AGAIN']);
    void failureOf('http://silent.example.com', 50);
    await until('the name is asked for again', () => answers.length === 2);
  });

  test('to a name that cannot be resolved has failed before anything was sent', async () => {
    const { kind, code } = await within(10_000, 'the refusal', failureOf(`http://${'a'.repeat(64)}.invalid`, 5000));
    assert.deepEqual([kind, code], ['connect', 'ENOTFOUND']);
  });
});
