// Realtime sessions from outside: passed on both ways, metered response by response, ended when there is nothing left to pay with.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:tls';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { WebSocket } from 'ws';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { selfSigned } from '#test/support/certificate.ts';
import { get } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { readLedger } from '#test/support/ledger-rows.ts';
import { clientKey, patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const POOR = 'sk-test-poor-2f1d9c4be87a4f0fa6de9b1c5d3e7f8000';
const LISTENER = 'sk-test-listener-2f1d9c4be87a4f0fa6de9b1c5d3e7f';
const ONE = 'sk-test-one-2f1d9c4be87a4f0fa6de9b1c5d3e7f80001';
const TALKER = 'sk-test-talker-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
const price = { inputPerMTok: '4', audioInputPerMTok: '32', outputPerMTok: '16', audioOutputPerMTok: '64' };
const model = (name: string, upstreamName: string) => ({ name, upstreamName, price, contextWindow: 1000, maxOutputTokens: 100 });

const yaml = (hosted: string): string =>
  yamlOf(
    providerSecret,
    provider(
      'openai',
      'OpenAI',
      hosted,
      [
        model('voice', 'gpt-realtime'),
        model('cut', 'gpt-realtime!cut'),
        model('stalls', 'gpt-realtime!stall'),
        model('down', 'gpt-realtime!503'),
        { name: 'whisper', upstreamName: 'whisper-1', price: { perUnit: '0.0001' } },
      ],
      patient,
    ),
    provider('other', 'OpenAI', hosted, [model('down', 'gpt-realtime')], patient),
    route('voice', 'voice', ['openai']),
    route('cut', 'cut', ['openai']),
    route('stalls', 'stalls', ['openai']),
    route('down', 'down', ['openai', 'other']),
    tenantKey(),
    tenantKey('one', ONE, { tenant: 'one', limits: { maxConcurrency: 1 } }),
    tenantKey('talker', TALKER, { tenant: 'talker', models: { allow: ['voice'] } }),
    // One response of 1,100 tokens at the dearest rates is 38,400 microdollars: there is room for that, and not for much more.
    tenantKey('listener', LISTENER, { tenant: 'listener', budgets: [{ name: 'all', amount: '0.041', period: 'Total' }] }),
    tenantKey('poor', POOR, { tenant: 'poor', budgets: [{ name: 'all', amount: '0.041', period: 'Total' }] }),
  );

let hosted: Simulator;
let gateway: Gateway;
before(async () => {
  hosted = await startSimulator();
  gateway = await startGateway({ yaml: yaml(hosted.origin) });
});
after(async () => {
  await gateway?.stop();
  await hosted?.close();
});

type Event = { readonly type: string; readonly [field: string]: unknown };

/** A plain client, and all that it was told. */
class Client {
  readonly socket: WebSocket;
  readonly events: Event[] = [];
  readonly closed: Promise<number>;
  /** Of the session. */
  id = '';

  constructor(name: string, key = clientKey, protocols: readonly string[] = [], at = gateway) {
    const headers = key === '' ? {} : { authorization: `Bearer ${key}` };
    this.socket = new WebSocket(`${at.url.replace('http', 'ws')}/v1/realtime?model=${name}`, [...protocols], { headers });
    this.socket.on('message', data => this.events.push(JSON.parse(String(data))));
    this.socket.on('error', () => {});
    this.socket.on('upgrade', ({ headers: told }) => {
      this.id = String(told['x-request-id']);
    });
    this.closed = once(this.socket, 'close').then(([code]) => code as number);
  }

  send(event: object): void {
    this.socket.send(JSON.stringify(event));
  }

  got(type: string, times = 1): Promise<Event> {
    return until(`${times} of ${type}`, () => this.events.filter(event => event.type === type)[times - 1]);
  }

  /** Whether so many of these came before an error did. */
  gets(type: string, times: number): Promise<'yes' | 'error'> {
    return until(`${times} of ${type}, or an error`, () => {
      if (this.events.filter(event => event.type === type).length >= times) return 'yes';
      return this.events.some(event => event.type === 'error') && 'error';
    });
  }

  async responds(times = 1): Promise<Event> {
    await this.got('session.created');
    this.send({ type: 'response.create' });
    return this.got('response.done', times);
  }

  close(): Promise<number> {
    this.socket.close();
    return this.closed;
  }
}

/** The HTTP status of a session that is refused. */
const refused = async (name: string, key = clientKey): Promise<number> => {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/realtime?model=${name}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  return response.statusCode;
};

const rowsIn = (dataFolder: string, where: string) =>
  readLedger(
    { dataFolder },
    `select state, failure, model, estimated, cost_nano_usd as cost, reserved_nano_usd as reserved, prompt_tokens, completion_tokens,
      audio_output_tokens, tenant from attempts where operation = 'Realtime' and ${where} order by at, attempt`,
  );
/** All of one session, which is over, once so many of them are settled. */
const settledRows = ({ id }: Pick<Client, 'id'>, count: number) =>
  until(`${count} settled rows`, () => {
    const all = rowsIn(gateway.dataFolder, `request_id = '${id}'`);
    return all.length === count && all.every(({ state }) => state === 'settled') && all;
  });

describe('a realtime session', () => {
  test("of OpenAI's SDK is passed on both ways, and each response is a row", async () => {
    // It wants TLS, which is what stands before a gateway.
    const certificate = selfSigned('127.0.0.1');
    const front = createServer(certificate, client => {
      const behind = connect(gateway.port, '127.0.0.1');
      for (const side of [client, behind]) side.on('error', () => side.destroy());
      client.pipe(behind).pipe(client);
    });
    await once(front.listen(0, '127.0.0.1'), 'listening');
    const client = new OpenAI({ apiKey: clientKey, baseURL: `https://127.0.0.1:${(front.address() as AddressInfo).port}/v1` });
    const session = new OpenAIRealtimeWS({ model: 'voice', options: { ca: certificate.cert } }, client);
    const done: { usage?: unknown }[] = [];
    let id = '';
    session.socket.on('upgrade', ({ headers }) => {
      id = String(headers['x-request-id']);
    });
    session.on('error', error => assert.fail(error));
    session.on('session.created', () => {
      session.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Zwei\u2028Zeilen' }] },
      });
      session.send({ type: 'response.create' });
    });
    session.on('response.done', ({ response }) => {
      done.push(response);
      if (done.length < 2) session.send({ type: 'response.create' });
      else session.close();
    });
    await once(session.socket, 'close');
    front.close();
    const all = await settledRows({ id }, 3);
    // The last is the response that was covered, and never made.
    assert.deepEqual(
      all.map(({ cost, completion_tokens }) => [cost! > 0, completion_tokens! > 0]),
      [
        [true, true],
        [true, true],
        [false, false],
      ],
    );
    const usage = done[0]!.usage as {
      input_tokens: number;
      output_tokens: number;
      output_token_details: { audio_tokens: number; text_tokens: number };
    };
    const [first] = all;
    assert.deepEqual(
      [first!.prompt_tokens, first!.completion_tokens, first!.audio_output_tokens],
      [usage.input_tokens, usage.output_tokens, usage.output_token_details.audio_tokens],
    );
    const { audio_tokens, text_tokens } = usage.output_token_details;
    assert.equal(first!.cost! / 1000, usage.input_tokens * 4 + audio_tokens * 64 + text_tokens * 16);
    assert.match(hosted.requests().at(-1)!.path, /\/v1\/realtime\?model=gpt-realtime$/);
  });

  test('takes the key of a browser, which is in its protocols, and keeps it from the provider', async () => {
    const client = new Client('voice', '', ['realtime', `openai-insecure-api-key.${clientKey}`]);
    await client.responds();
    assert.equal(client.socket.protocol, 'realtime');
    const { headers } = hosted.requests().at(-1)!;
    assert.equal(headers['sec-websocket-protocol'], 'realtime');
    assert.ok(!JSON.stringify(headers).includes(clientKey));
    await client.close();
    assert.ok(!gateway.logs().includes(clientKey));
  });

  test('is refused over HTTP before there is one', async () => {
    assert.equal(await refused('voice', 'sk-nobody'), 401);
    assert.equal(await refused('cut', TALKER), 403);
    assert.equal(await refused('nothing'), 404);
    assert.equal(await refused('voice&model=cut'), 400);
    assert.equal(await refused('voice&call_id=rtc_foreign'), 400);
    const plain = await get(`${gateway.url}/v1/realtime?model=voice`);
    assert.deepEqual([plain.status, plain.headers.get('upgrade')], [426, 'websocket']);
  });

  test('is opened at the next backend where the first is down', async () => {
    const client = new Client('down');
    await client.responds();
    await client.close();
    const last = await settledRows(client, 3);
    assert.deepEqual([last[0]!.cost, last[1]!.cost! > 0], [0, true]);
  });

  test('ends with a typed event when the budget has no room for another response', async () => {
    const client = new Client('voice', POOR);
    await client.got('session.created');
    for (let i = 1; ; i++) {
      client.send({ type: 'response.create' });
      if ((await client.gets('response.done', i)) === 'error') break;
      assert.ok(i < 50);
    }
    const error = client.events.find(({ type }) => type === 'error') as Event & { error: { code: string } };
    assert.equal(error.error.code, 'budget_exceeded');
    assert.equal(await client.closed, 1008);
    const all = await settledRows(client, client.events.filter(({ type }) => type === 'response.done').length);
    const spent = all.reduce((sum, { cost }) => sum + cost!, 0);
    assert.ok(spent > 0 && spent <= 41_000_000, String(spent));
    assert.equal(await refused('voice', POOR), 402);
  });

  test('has a place among those that its key may have at once', async () => {
    const client = new Client('voice', ONE);
    await client.responds();
    assert.equal(await refused('voice', ONE), 429);
    await client.close();
    await until('the place is free', async () => {
      const next = new Client('voice', ONE);
      const opened = await Promise.race([next.closed.then(() => false), next.got('session.created').then(() => true)]);
      if (opened) await next.close();
      return opened;
    });
  });

  test('pays what is written down besides, by the model that does it, which the key may use', async () => {
    const transcribe = (name: string) => ({
      type: 'session.update',
      session: { type: 'realtime', audio: { input: { transcription: { model: name } } } },
    });
    const client = new Client('voice');
    await client.got('session.created');
    client.send(transcribe('whisper-1'));
    await client.got('session.updated');
    client.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(64_000 * 3) });
    client.send({ type: 'input_audio_buffer.commit' });
    await client.got('conversation.item.input_audio_transcription.completed');
    await client.close();
    const all = await settledRows(client, 2);
    assert.ok(all.some(({ model: of, cost }) => (of as unknown) === 'whisper' && cost === 3 * 100_000));
    const talker = new Client('voice', TALKER);
    await talker.got('session.created');
    talker.send(transcribe('whisper-1'));
    assert.equal(((await talker.got('error')).error as { code: string }).code, 'model_not_allowed');
    talker.send({ type: 'session.update', session: { type: 'realtime', model: 'gpt-realtime-pro' } });
    assert.equal(((await talker.got('error', 2)).error as { code: string }).code, 'model_not_allowed');
    talker.send({ type: 'session.update', session: { type: 'realtime', model: 'voice', instructions: 'Be brief.' } });
    assert.equal(((await talker.got('session.updated')).session as { model: string }).model, 'gpt-realtime');
    await talker.close();
  });

  test('of which only what is said is written down ends as well when there is nothing left to pay with', async () => {
    const client = new Client('voice', LISTENER);
    await client.got('session.created');
    client.send({ type: 'session.update', session: { audio: { input: { transcription: { model: 'whisper-1' } } } } });
    await client.got('session.updated');
    for (let i = 1; ; i++) {
      assert.ok(i < 5, 'there is room for one of 20 seconds beside a response');
      client.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(64_000 * 20) });
      client.send({ type: 'input_audio_buffer.commit' });
      client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [] } });
      if ((await client.gets('conversation.item.added', i)) === 'error') break;
    }
    assert.equal(((await client.got('error')).error as { code: string }).code, 'budget_exceeded');
    assert.equal(await client.closed, 1008);
    const all = await settledRows(client, 3);
    assert.deepEqual(all.map(({ cost }) => cost).toSorted(), [0, 2_000_000, 2_000_000]);
  });

  test('that the provider breaks off ends so for the client, and is paid as far as it came', async () => {
    const client = new Client('cut');
    await client.got('session.created');
    client.send({ type: 'response.create' });
    assert.equal(await client.closed, 1011);
    assert.equal(client.events.filter(({ type }) => type === 'response.done').length, 0);
    const row = (await settledRows(client, 1))[0]!;
    assert.deepEqual([row.failure as unknown, row.estimated, row.cost! > 0], ['upstream_reset', 1, true]);
  });

  test('that the client leaves in the middle of a response is paid as far as it came', async () => {
    const client = new Client('stalls');
    await client.got('session.created');
    client.send({ type: 'response.create' });
    await client.got('response.output_audio.delta', 2);
    client.send({ type: 'response.create', response: { conversation: 'none' } });
    assert.equal(((await client.got('error')).error as { code: string }).code, 'invalid_request');
    client.socket.terminate();
    const row = (await settledRows(client, 1))[0]!;
    assert.deepEqual([row.failure as unknown, row.estimated, row.cost! > 0], ['client_closed', 1, true]);
  });

  test('passes on what is large and what is many, in order', async () => {
    const client = new Client('voice');
    await client.got('session.created');
    for (let i = 0; i < 200; i++)
      client.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: `${i}` }] },
      });
    client.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(8_000_000) });
    await client.got('conversation.item.added', 200);
    const order = client.events.flatMap(({ type, item }) =>
      type === 'conversation.item.added' ? (item as { content: { text: string }[] }).content[0]!.text : [],
    );
    assert.deepEqual(
      order,
      Array.from({ length: 200 }, (_, i) => `${i}`),
    );
    client.socket.send('no JSON at all');
    client.socket.send(Buffer.from('{"type":"response.create"}'), { binary: true });
    assert.equal(((await client.got('error', 2)).error as { code: string }).code, 'invalid_request');
    client.socket.send(Buffer.alloc(17 * 1024 * 1024, 'x'));
    assert.ok([1006, 1009, 1001].includes(await client.closed));
  });
});

describe('a gateway that ends', () => {
  test('lets a response come to its end, tells its clients, and leaves no row open', async () => {
    const own = await startGateway({ yaml: yaml(hosted.origin) });
    const [idle, gone] = [new Client('voice', clientKey, [], own), new Client('voice', clientKey, [], own)];
    await idle.responds();
    await gone.responds();
    own.terminate();
    assert.equal(((await idle.got('error')).error as { code: string }).code, 'shutting_down');
    assert.equal(await idle.closed, 1001);
    assert.equal(await own.exited, 0);
  });

  test('that is killed leaves no response unpaid: the next process settles what was open at what was held for it', async () => {
    const data = mkdtempSync(path.join(tmpdir(), 'tollgate-realtime-'));
    const env = { TOLLGATE_DATA: data };
    const one = await startGateway({ yaml: yaml(hosted.origin), env });
    const client = new Client('stalls', clientKey, [], one);
    await client.got('session.created');
    client.send({ type: 'response.create' });
    await client.got('response.output_audio.delta', 2);
    await one.kill();
    assert.equal(await client.closed, 1006);
    const next = await startGateway({ yaml: yaml(hosted.origin), env });
    try {
      const row = await until('its row', () => rowsIn(data, "tenant = 'acme'").find(({ state }) => state === 'settled'), 20_000);
      assert.deepEqual([row.failure as unknown, row.cost! > 0, row.cost === row.reserved], ['gateway_died', true, true]);
    } finally {
      await next.stop();
      rmSync(data, { recursive: true, force: true });
    }
  });
});
