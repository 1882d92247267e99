// Hedged requests from outside: who answers, who is aborted, what is written down, and when there is no second attempt.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chat, chatPath, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { rowsOf } from '#test/support/ledger-rows.ts';
import { patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { answerText, isTerminated } from '#test/support/sse.ts';
import { openStream } from '#test/support/streaming.ts';
import { until } from '#test/support/until.ts';
import { eventStream, json, type Script, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { openaiReply, openaiStream, wholeStream } from '#test/support/wires.ts';

const POOR = 'sk-test-poor-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
/** 1000 tokens out at 2 microdollars each: one attempt fits, two do not. */
const ONE_ATTEMPT = '0.003';

let slow: Upstream;
let spare: Upstream;
let gateway: Gateway;
before(async () => {
  [slow, spare] = [await startUpstream(() => {}), await startUpstream(() => {})];
  const two = ['slow', 'spare'].map(name => ({ name, providerRef: { name }, model: 'm' }));
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      tenantKey('poor', POOR, { tenant: 'poor', budgets: [{ name: 'all', amount: ONE_ATTEMPT, period: 'Total' }] }),
      provider('slow', 'OpenAI', slow.url, [{ name: 'm', maxOutputTokens: 1000 }], patient),
      provider('spare', 'OpenAI', spare.url, [{ name: 'm', maxOutputTokens: 1000 }], patient),
      route('hedged', 'hedged', two, { hedge: { after: '100ms', maxPercent: 100 }, retries: { attempts: 0 } }),
      route('rarely', 'rarely', two, { hedge: { after: '50ms', maxPercent: 10 }, retries: { attempts: 0 } }),
      route('by-percentile', 'by-percentile', two, { hedge: { after: 'P95', maxPercent: 100 }, retries: { attempts: 0 } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([slow?.close(), spare?.close()]);
});
beforeEach(() => {
  for (const upstream of [slow, spare]) upstream.asked.length = 0;
});

const late =
  (script: Script, ms: number): Script =>
  async (response, asked) => {
    await sleep(ms);
    await script(response, asked);
  };
/** Never answers; tells when its connection was closed. */
function silent(): { script: Script; aborted: Promise<number> } {
  let tell: (at: number) => void;
  const aborted = new Promise<number>(resolve => {
    tell = resolve;
  });
  return { script: (response: ServerResponse) => void response.on('close', () => tell(performance.now())), aborted };
}
const stream = (text: string) => eventStream(wholeStream(openaiStream, text));

describe('a first attempt that is slow', () => {
  test('has another one beside it, whose stream is the answer; the slow one is aborted, and both are in the ledger', async () => {
    const { script, aborted } = silent();
    slow.answer(script);
    spare.answer(stream('From the spare.'));
    const answered = await openStream(gateway.url + chatPath, chat('hedged', { stream: true }));
    const startedAt = performance.now();
    const { text } = await answered.ended;
    assert.equal(answerText(text), 'From the spare.');
    assert.ok(isTerminated(text));
    assert.equal(answered.headers['x-tollgate-attempts'], '2');
    assert.equal(answered.headers['x-tollgate-provider'], 'default/spare');
    assert.equal(answered.headers['x-tollgate-fallback'], 'false');
    const abortedAfter = (await aborted) - startedAt;
    assert.ok(abortedAfter < 100, `${abortedAfter} ms after the answer began`);
    const rows = await rowsOf(gateway, answered.headers['x-request-id'] as string, 2);
    assert.deepEqual(
      rows.map(row => [row.purpose, row.provider, row.failure, row.estimated]),
      [
        ['first', 'default/slow', 'hedge_lost', 1],
        ['hedge', 'default/spare', null, 0],
      ],
    );
    assert.ok(rows[0]!.prompt_tokens > 0 && rows[0]!.cost > 0, 'what the loser read is billed');
  });

  test('has another one beside it, whose whole answer is the answer', async () => {
    const { script, aborted } = silent();
    slow.answer(script);
    spare.answer(json(200, openaiReply('From the spare.')));
    const { json: body, headers } = await post(gateway.url + chatPath, chat('hedged'));
    assert.equal(body().choices[0].message.content, 'From the spare.');
    assert.equal(headers.get('x-tollgate-provider'), 'default/spare');
    await aborted;
    assert.equal((await rowsOf(gateway, headers.get('x-request-id')!, 2)).length, 2);
  });

  test('may still be the faster one: then the other is aborted', async () => {
    const { script, aborted } = silent();
    slow.answer(late(stream('From the first.'), 200));
    spare.answer(script);
    const answered = await openStream(gateway.url + chatPath, chat('hedged', { stream: true }));
    assert.equal(answerText((await answered.ended).text), 'From the first.');
    await aborted;
    const rows = await rowsOf(gateway, answered.headers['x-request-id'] as string, 2);
    assert.deepEqual(
      rows.map(row => [row.purpose, row.failure]),
      [
        ['first', null],
        ['hedge', 'hedge_lost'],
      ],
    );
  });

  test('may fail: the other one answers', async () => {
    slow.answer(late(json(500, {}), 200));
    spare.answer(late(stream('From the spare.'), 200));
    const answered = await openStream(gateway.url + chatPath, chat('hedged', { stream: true }));
    assert.equal(answerText((await answered.ended).text), 'From the spare.');
    assert.equal(spare.asked.length, 1);
  });

  test('goes on where the other one fails', async () => {
    slow.answer(late(stream('From the first.'), 300));
    spare.answer(json(400, { error: { message: 'No.', type: 'invalid_request_error' } }));
    const answered = await openStream(gateway.url + chatPath, chat('hedged', { stream: true }));
    assert.equal(answerText((await answered.ended).text), 'From the first.');
  });

  test('and the other one both fail: the client has the failure', async () => {
    slow.answer(late(json(500, {}), 200));
    spare.answer(json(503, {}));
    const { status } = await post(gateway.url + chatPath, chat('hedged'));
    assert.ok(status === 502 || status === 503, `${status}`);
  });

  test('is aborted with the other one when the client leaves', async () => {
    const [one, other] = [silent(), silent()];
    slow.answer(one.script);
    spare.answer(other.script);
    const leaving = new AbortController();
    const answer = post(gateway.url + chatPath, chat('hedged'), { signal: leaving.signal }).catch(() => undefined);
    await until('both are asked', () => slow.asked.length === 1 && spare.asked.length === 1);
    leaving.abort();
    await Promise.all([answer, one.aborted, other.aborted]);
  });
});

describe('there is no second attempt', () => {
  test('when the first one is fast', async () => {
    slow.answer(stream('At once.'));
    const { headers, text } = await post(gateway.url + chatPath, chat('hedged', { stream: true }));
    assert.equal(answerText(text), 'At once.');
    assert.equal(headers.get('x-tollgate-attempts'), '1');
    await sleep(150);
    assert.equal(spare.asked.length, 0);
  });

  test('when a budget has no room for both', async () => {
    slow.answer(late(stream('Late, and alone.'), 300));
    const { text } = await post(gateway.url + chatPath, chat('hedged', { stream: true }), { key: POOR });
    assert.equal(answerText(text), 'Late, and alone.');
    assert.equal(spare.asked.length, 0);
  });

  test('for more requests than the route allows', async () => {
    slow.answer(late(stream('Late.'), 120));
    spare.answer(stream('From the spare.'));
    await Promise.all(Array.from({ length: 20 }, () => post(gateway.url + chatPath, chat('rarely', { stream: true }))));
    assert.equal(spare.asked.length, 2);
  });

  test('before anybody knows what is slow', async () => {
    slow.answer(late(stream('Late.'), 200));
    await post(gateway.url + chatPath, chat('by-percentile', { stream: true }));
    assert.equal(spare.asked.length, 0);
  });

  test('when the client wants no fallbacks', async () => {
    slow.answer(late(stream('Late.'), 200));
    await post(gateway.url + chatPath, chat('hedged', { stream: true, disable_fallbacks: true }));
    assert.equal(spare.asked.length, 0);
  });
});

test('hedges are counted', async () => {
  const { text } = await get(`${gateway.url}/metrics`);
  for (const outcome of ['won', 'lost', 'failed'])
    assert.match(text, new RegExp(`tollgate_hedges_total\\{route="default/hedged",outcome="${outcome}"\\} [1-9]`));
});
