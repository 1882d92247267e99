// What tests rely on besides the wires: the record, the bill, pace, and noticing that a client has gone.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startSimulator } from './index.ts';
import { Requests } from './record.ts';
import type { Json } from './shape.ts';

const simulator = await startSimulator();
after(() => simulator.close());
beforeEach(() => simulator.reset());

const chat = (body: object, init: RequestInit = {}, origin = simulator.origin) =>
  fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-secret-1234' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...body }),
    ...init,
  });
const control = async (method: string, path: string, body?: object) => {
  const answer = await fetch(`${simulator.origin}/__simulator/${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
  return { status: answer.status, value: (await answer.json()) as Json };
};

test('what arrived is on record, credentials masked', async () => {
  await (await chat({ user: 'u1' })).text();
  const { value } = await control('GET', 'requests');
  assert.equal(value.count, 1);
  const [request] = value.requests;
  assert.deepEqual([request.method, request.path, request.model, request.status], ['POST', '/v1/chat/completions', 'm', 200]);
  assert.equal(request.body.user, 'u1');
  assert.equal(request.headers.authorization, 'Bearer ***1234');
  assert.doesNotMatch(JSON.stringify(value), /sk-secret/);
});

test('the record holds the last four thousand requests and counts all', () => {
  const requests = new Requests();
  for (let i = 0; i < 4_100; i++) requests.open('GET', '/v1/nothing', {});
  assert.deepEqual([requests.count, requests.list().length, requests.list().at(-1)!.seq], [4100, 4000, 4100]);
});

test('faults are set and cleared over HTTP', async () => {
  assert.equal((await control('POST', 'faults', { fault: '503', match: { path: '/v1/chat' } })).status, 201);
  assert.equal((await control('POST', 'faults', { fault: 'nonsense' })).status, 400);
  assert.equal((await chat({})).status, 503);
  await control('DELETE', 'faults');
  assert.equal((await chat({})).status, 200);
});

test('the bill counts each request’s tokens once, whatever the usage said', async () => {
  const { usage } = (await (await chat({})).json()) as { usage: { prompt_tokens: number; completion_tokens: number } };
  await (await chat({ stream: true })).text();
  const { value } = await control('GET', 'bill');
  assert.deepEqual(value.m, {
    requests: 2,
    prompt_tokens: usage.prompt_tokens * 2,
    cached_tokens: 0,
    completion_tokens: usage.completion_tokens * 2,
    aborted: 0,
  });
});

test('an error costs nothing, an answer that broke off what was generated until then', async () => {
  await (await chat({ model: 'm!500' })).text();
  assert.deepEqual(simulator.bill(), {});
  await assert.rejects((await chat({ model: 'm!cut;chunks=2', stream: true })).text());
  assert.deepEqual([simulator.bill().m!.completion_tokens, simulator.bill().m!.prompt_tokens], [6, 5]);
});

test('a client that goes away is noticed within 100 ms, and what was generated until then is billed', async t => {
  const slow = await startSimulator({ settings: { tokensPerSecond: 100 } });
  t.after(() => slow.close());
  const gone = new AbortController();
  const answer = await chat(
    { stream: true, messages: [{ role: 'user', content: '[[tokens=1000]]' }] },
    { signal: gone.signal },
    slow.origin,
  );
  const reader = answer.body!.getReader();
  await reader.read();
  await setTimeout(150);
  const before = Date.now();
  gone.abort();
  await setTimeout(100);
  const [request] = slow.requests();
  assert.deepEqual([request!.aborted, request!.outcome], [true, 'aborted']);
  assert.ok(request!.endedAt! - before < 100);
  assert.ok(request!.chunks > 0 && request!.tokens < 100);
  assert.deepEqual([slow.bill().m!.completion_tokens, slow.bill().m!.aborted], [request!.tokens, 1]);
});

test('a client that hangs up on a stalled answer counts as gone', async () => {
  await assert.rejects(
    chat({ model: 'm!stall', stream: true }, { signal: AbortSignal.timeout(50) }).then(answer => answer.text()),
  );
  await setTimeout(50);
  assert.equal(simulator.requests()[0]!.aborted, true);
});

test('a client that does not read holds the simulator back', async t => {
  const { connect } = await import('node:net');
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: '[[tokens=100000]]' }] });
  const socket = connect(simulator.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await setTimeout(300);
  const written = simulator.requests()[0]!.chunks;
  await setTimeout(100);
  assert.equal(simulator.requests()[0]!.chunks, written);
  assert.ok(written > 0 && written < 33_000, String(written));
});

test('latency and token rate are kept', async t => {
  const slow = await startSimulator({ settings: { latency: 80, tokensPerSecond: 1000 } });
  t.after(() => slow.close());
  for (const stream of [true, false]) {
    const before = performance.now();
    await (await chat({ stream, messages: [{ role: 'user', content: '[[tokens=100]]' }] }, {}, slow.origin)).text();
    const took = performance.now() - before;
    assert.ok(took >= 178 && took < 600, `${stream ? 'streamed' : 'whole'}: ${took} ms`);
  }
});

test('only the given keys are accepted', async t => {
  const strict = await startSimulator({ keys: ['sk-other'] });
  t.after(() => strict.close());
  assert.equal((await chat({}, {}, strict.origin)).status, 401);
});

test('an unknown path is 404 and a wrong method 405, in the wire’s words', async () => {
  const unknown = await fetch(`${simulator.origin}/v1/nothing`, { headers: { authorization: 'Bearer k' } });
  assert.deepEqual([unknown.status, Object.keys((await unknown.json()) as object)], [404, ['error']]);
  assert.equal((await fetch(`${simulator.origin}/v1/chat/completions`, { headers: { authorization: 'Bearer k' } })).status, 405);
});
