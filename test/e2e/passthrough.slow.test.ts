// The rest of OpenAI's API from outside: passed on, metered, and each tenant's own. Asked by OpenAI's SDK.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI, { toFile } from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { ask, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { readLedger, rowsOf } from '#test/support/ledger-rows.ts';
import { open } from '#test/support/raw-http.ts';
import { clientKey, directRoute, patient, price, provider, providerSecret, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const OTHER = 'sk-test-other-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
const CHAT_ONLY = 'sk-test-chat-only-2f1d9c4be87a4f0fa6de9b1c5d3e7f';
const NO_TALK = 'sk-test-no-talk-2f1d9c4be87a4f0fa6de9b1c5d3e7f00';
const POOR = 'sk-test-poor-2f1d9c4be87a4f0fa6de9b1c5d3e7f8000';

function yaml(hosted: string): string {
  const models = [
    { name: 'draws', upstreamName: 'gpt-image-1', price: { inputPerMTok: '10', outputPerMTok: '40' } },
    { name: 'paints', upstreamName: 'dall-e-3', price: { perUnit: '0.04' } },
    { name: 'limited', upstreamName: 'gpt-image-1!429', price: { inputPerMTok: '10', outputPerMTok: '40' } },
    { name: 'reads', upstreamName: 'tts-1', price: { perUnit: '0.000015' } },
    { name: 'speaks', upstreamName: 'gpt-4o-mini-tts', price: { inputPerMTok: '0.6', outputPerMTok: '12' } },
    { name: 'listens', upstreamName: 'whisper-1', price: { perUnit: '0.0001' } },
    {
      name: 'hears',
      upstreamName: 'gpt-4o-transcribe',
      price: { inputPerMTok: '2.5', audioInputPerMTok: '6', outputPerMTok: '10' },
    },
    { name: 'talks', upstreamName: 'gpt-5-mini', price },
    { name: 'mixed', upstreamName: 'gpt-5-mini', price },
  ];
  return yamlOf(
    providerSecret,
    provider('openai', 'OpenAI', hosted, models, patient),
    provider('anthropic', 'Anthropic', hosted, [{ name: 'mixed', upstreamName: 'claude-sonnet-4-5', price }]),
    directRoute('mixed', ['anthropic', 'openai']),
    directRoute('draws', ['openai']),
    directRoute('talks', ['openai']),
    directRoute('paints', ['openai']),
    directRoute('limited', ['openai']),
    directRoute('reads', ['openai']),
    directRoute('speaks', ['openai']),
    directRoute('listens', ['openai']),
    directRoute('hears', ['openai']),
    tenantKey(),
    tenantKey('other', OTHER, { tenant: 'other' }),
    tenantKey('chat-only', CHAT_ONLY, { tenant: 'chat-only', models: { allow: ['draws'] } }),
    tenantKey('no-talk', NO_TALK, { tenant: 'no-talk', models: { deny: ['talks'] } }),
    tenantKey('poor', POOR, { tenant: 'poor', budgets: [{ name: 'all', amount: '0.000100', period: 'Total' }] }),
  );
}

let hosted: Simulator;
let gateway: Gateway;
let client: OpenAI;
before(async () => {
  hosted = await startSimulator();
  gateway = await startGateway({ yaml: yaml(hosted.origin) });
  client = sdk(clientKey);
});
after(async () => {
  await gateway?.stop();
  await hosted?.close();
});

const sdk = (apiKey: string): OpenAI => new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });

const sound = (bytes: number, name = 'a.wav') => toFile(Buffer.alloc(bytes, 7), name, { type: 'audio/wav' });
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const picture = () => toFile(Buffer.from('not quite a picture'), 'p.png', { type: 'image/png' });
const lastAsked = () => hosted.requests().at(-1)!;
const failing = (path: string, fault: string) => hosted.addFault({ fault, match: { path, times: 1 } });

/** The one row of a request, once it is settled. */
const rowOf = async ({ headers }: { headers: Headers }) => (await rowsOf(gateway, headers.get('x-request-id')!, 1))[0]!;
const microdollars = ({ cost }: { cost: number }): number => cost / 1000;

const status = (call: PromiseLike<unknown>): Promise<number> =>
  Promise.resolve(call).then(
    () => 200,
    error => error.status as number,
  );

describe('images', () => {
  test('are made by the model that the name stands for, and paid by the tokens that the reply tells', async () => {
    const { data, response } = await client.images.generate({ model: 'draws', prompt: 'a cat', n: 2 }).withResponse();
    assert.equal(data.data?.length, 2);
    assert.deepEqual((lastAsked().body as { fields: object }).fields, { model: 'gpt-image-1', prompt: 'a cat', n: 2 });
    assert.equal(microdollars(await rowOf(response)), data.usage!.input_tokens * 10 + data.usage!.output_tokens * 40);
  });

  test('of models that are paid by the picture cost that for each', async () => {
    const { response } = await client.images.generate({ model: 'paints', prompt: 'a cat', n: 3 }).withResponse();
    assert.equal(microdollars(await rowOf(response)), 3 * 40_000);
    assert.equal(response.headers.get('x-litellm-response-cost'), '0.12');
  });

  test('come as a stream, with the usage of its last event', async () => {
    const { data: stream, response } = await client.images
      .generate({ model: 'draws', prompt: 'a cat', stream: true, partial_images: 2 })
      .withResponse();
    const types: string[] = [];
    for await (const event of stream) types.push(event.type);
    assert.deepEqual(types, [...Array(2).fill('image_generation.partial_image'), 'image_generation.completed']);
    const row = await rowOf(response);
    assert.equal(row.completion_tokens, 1056 + 200);
    assert.equal(row.estimated, 0);
  });

  test('are edited from a form, whose pictures arrive as they were sent', async () => {
    const bytes = Buffer.from('not quite a picture');
    const { response } = await client.images
      .edit({ model: 'draws', prompt: 'a hat on it', image: [await picture(), await picture()] })
      .withResponse();
    const asked = lastAsked().body as { fields: Record<string, string>; files: { field: string; file: { sha256: string } }[] };
    assert.equal(asked.fields.model, 'gpt-image-1');
    assert.deepEqual(
      asked.files.map(({ field, file }) => [field, file.sha256]),
      Array(2).fill(['image', sha256(bytes)]),
    );
    assert.ok((await rowOf(response)).prompt_tokens > 2 * 323);
  });

  test('a stream that is cut is an error, not an end', async () => {
    failing('/v1/images', 'cut;chunks=1');
    const stream = await client.images.generate({ model: 'draws', prompt: 'a cat', stream: true, partial_images: 3 });
    await assert.rejects(async () => {
      for await (const _event of stream);
    });
    failing('/v1/images', 'cut-clean;chunks=1');
    const clean = await client.images.generate({ model: 'draws', prompt: 'a cat', stream: true, partial_images: 3 });
    await assert.rejects(async () => {
      for await (const _event of clean);
    });
  });

  test("errors of the provider are told in the client's words", async () => {
    const many = await post(`${gateway.url}/v1/images/generations`, { model: 'draws', prompt: 'a cat', n: 1e6 });
    assert.deepEqual([many.status, many.json().error.param], [400, 'n']);
    const refused = await post(`${gateway.url}/v1/images/generations`, { model: 'draws' });
    assert.deepEqual([refused.status, refused.json().error.param], [400, 'prompt']);
    for (const [fault, wanted] of [
      ['500', 502],
      ['cut', 502],
      ['html', 502],
    ] as const) {
      failing('/v1/images', fault);
      assert.equal(await status(client.images.generate({ model: 'draws', prompt: 'a cat' })), wanted, fault);
    }
    // A model of its own: it is left alone for a while.
    assert.equal(await status(client.images.generate({ model: 'limited', prompt: 'a cat' })), 429);
  });
});

describe('audio', () => {
  test('that is read aloud arrives byte by byte, paid by the character', async () => {
    const input = 'Straßenbahn 🚋';
    const { data, response } = await client.audio.speech.create({ model: 'reads', voice: 'alloy', input }).withResponse();
    const bytes = Buffer.from(await data.arrayBuffer());
    assert.equal(response.headers.get('content-type'), 'audio/mpeg');
    assert.equal(bytes.length, Number(response.headers.get('content-length')));
    assert.equal(microdollars(await rowOf(response)), [...input].length * 15);
  });

  test('of a model that is paid by tokens is estimated where nobody tells them, and exact where an event does', async () => {
    const asked = { model: 'speaks', voice: 'alloy', input: 'Hello there, how are you?' } as const;
    const plain = await client.audio.speech.create(asked).withResponse();
    await plain.data.arrayBuffer();
    const estimated = await rowOf(plain.response);
    assert.equal(estimated.estimated, 1);
    assert.ok(estimated.cost > 0);
    const told = await client.audio.speech.create({ ...asked, stream_format: 'sse' }).withResponse();
    assert.match(await told.data.text(), /speech\.audio\.done/);
    const exact = await rowOf(told.response);
    assert.deepEqual([exact.estimated, exact.completion_tokens], [0, asked.input.length * 2]);
  });

  test('that is cut on its way is an error for who hears it', async () => {
    failing('/v1/audio/speech', 'cut;chunks=2');
    const { data, response } = await client.audio.speech
      .create({ model: 'reads', voice: 'alloy', input: 'x'.repeat(400) })
      .withResponse();
    await assert.rejects(data.arrayBuffer());
    assert.equal((await rowOf(response)).failure, 'upstream_reset');
  });

  test('is transcribed, paid by the second or by tokens of audio and text', async () => {
    const file = await sound(100_000);
    const seconds = await client.audio.transcriptions.create({ model: 'listens', file }).withResponse();
    assert.match(seconds.data.text, /^Heard: /);
    assert.equal(microdollars(await rowOf(seconds.response)), 4 * 100);
    const tokens = await client.audio.transcriptions.create({ model: 'hears', file: await sound(320_000) }).withResponse();
    const row = await rowOf(tokens.response);
    assert.deepEqual([row.prompt_tokens, row.cost / 1000], [100, 100 * 6 + row.completion_tokens * 10]);
    const long = await client.audio.transcriptions
      .create({ model: 'listens', file: await sound(64_000), response_format: 'verbose_json' })
      .withResponse();
    assert.equal(microdollars(await rowOf(long.response)), 2 * 100);
  });

  test('is transcribed as a stream, and as a text that tells no usage', async () => {
    const { data, response } = await client.audio.transcriptions
      .create({ model: 'hears', file: await sound(64_000), stream: true })
      .withResponse();
    let text = '';
    for await (const event of data) if (event.type === 'transcript.text.delta') text += event.delta;
    assert.match(text, /^Heard: /);
    assert.deepEqual([(await rowOf(response)).prompt_tokens, (await rowOf(response)).estimated], [20, 0]);
    const plain = await client.audio.transcriptions
      .create({ model: 'listens', file: await sound(64_000), response_format: 'text' })
      .withResponse();
    assert.match(plain.data as unknown as string, /^Heard: /);
    assert.equal((await rowOf(plain.response)).estimated, 1);
  });

  test('goes up as it was sent, wherever in the form the model stands, and of 20 MB as of 20', async () => {
    const bytes = Buffer.alloc(20_000_000, 'sound');
    for (const order of [
      ['model', 'file'],
      ['file', 'model'],
    ]) {
      const form = new FormData();
      for (const name of order)
        if (name === 'file') form.append(name, new Blob([bytes], { type: 'audio/wav' }), 'long.wav');
        else form.append(name, 'listens');
      const answered = await ask(`${gateway.url}/v1/audio/transcriptions`, {
        method: 'POST',
        body: form,
        headers: { authorization: `Bearer ${clientKey}` },
      });
      assert.equal(answered.status, 200, answered.text);
      const { files, fields } = lastAsked().body as { files: { file: { sha256: string } }[]; fields: object };
      assert.equal(files[0]!.file.sha256, sha256(bytes));
      assert.deepEqual(fields, { model: 'whisper-1' });
    }
  });

  test('that is larger than the gateway takes is refused, also when nobody said so before', async () => {
    const form = new FormData();
    form.append('file', new Blob([Buffer.alloc(33 * 1024 * 1024)]), 'huge.wav');
    form.append('model', 'listens');
    const declared = new Response(form);
    const answered = await ask(`${gateway.url}/v1/audio/transcriptions`, {
      method: 'POST',
      body: declared.body,
      duplex: 'half',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': declared.headers.get('content-type')! },
    } as RequestInit);
    assert.equal(answered.status, 413, answered.text);
  });
});

describe('forms that somebody could read otherwise', () => {
  const boundary = 'b';
  const send = (body: string, type = `multipart/form-data; boundary=${boundary}`) =>
    post(`${gateway.url}/v1/audio/transcriptions`, body, { headers: { 'content-type': type } });
  const part = (disposition: string, content: string) =>
    `--b\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
  const file = part('name="file"; filename="a.wav"', 'sound');
  const bad: readonly (readonly [sentence: string, body: string, type?: string])[] = [
    ['a second model', `${part('name="model"', 'listens')}${file}${part('name="model"', 'hears')}--b--\r\n`],
    ['a model by another spelling', `${file}${part('name="Model"', 'hears')}${part('name="model"', 'listens')}--b--\r\n`],
    ['a model that is a file', `${part('name="model"; filename="m"', 'listens')}${file}--b--\r\n`],
    ['a name with an escape', `${part('name="mod\\el"', 'hears')}${part('name="model"', 'listens')}${file}--b--\r\n`],
    ['two names', `${part('name="model"; name="x"', 'listens')}${file}--b--\r\n`],
    ['no end', `${part('name="model"', 'listens')}${file}`],
    ['something before it', `x\r\n${part('name="model"', 'listens')}${file}--b--\r\n`],
    ['no form at all', 'model=listens'],
    ['two boundaries', `${part('name="model"', 'listens')}${file}--b--\r\n`, 'multipart/form-data; boundary=b; boundary=c'],
    ['no boundary', `${part('name="model"', 'listens')}${file}--b--\r\n`, 'multipart/form-data'],
  ];
  for (const [sentence, body, type] of bad)
    test(`${sentence}: refused`, async () => {
      const { status, text } = await send(body, type);
      assert.ok(status === 400 || status === 415, `${status} ${text}`);
    });
  test('what is stored is named in JSON alone where the form is passed on as it comes', async () => {
    const container = await client.containers.create({ name: 'c' });
    const { status, text } = await post(
      `${gateway.url}/v1/containers/${container.id}/files`,
      `${part('name="file_id"', 'file-foreign')}--b--\r\n`,
      { headers: { 'content-type': 'multipart/form-data; boundary=b' } },
    );
    assert.equal(status, 400, text);
  });
  test('as it should be: taken', async () => {
    const { status, text } = await send(`${part('name="model"', 'listens')}${file}--b--\r\n`);
    assert.equal(status, 200, text);
  });
});

describe('what a provider keeps', () => {
  const other = () => sdk(OTHER);
  const newFile = (of = client, content = 'hello') =>
    toFile(Buffer.from(content), 'h.txt').then(file => of.files.create({ file, purpose: 'user_data' }));

  test('files: created, listed, read, deleted', async () => {
    const file = await newFile();
    assert.deepEqual((await client.files.list()).data.filter(({ id }) => id === file.id).length, 1);
    assert.equal((await client.files.retrieve(file.id)).filename, 'h.txt');
    assert.equal(await (await client.files.content(file.id)).text(), 'hello');
    assert.equal((await client.files.delete(file.id)).deleted, true);
    assert.equal(await status(client.files.retrieve(file.id)), 404);
  });

  test('another tenant finds nothing of it: an id that is not its own is as one that never was', async () => {
    const file = await newFile();
    const told = async (id: string) => {
      const { status, json } = await get(`${gateway.url}/v1/files/${id}`, { key: OTHER });
      return [status, json().error.message.replaceAll(id, 'ID')];
    };
    assert.deepEqual(await told(file.id), await told('file-never'));
    assert.equal((await other().files.list()).data.length, 0);
    for (const call of [
      () => other().files.content(file.id),
      () => other().files.delete(file.id),
      () => other().vectorStores.create({ file_ids: [file.id] }),
      () => other().containers.create({ name: 'c', file_ids: [file.id] }),
      () => other().batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' }),
      () => other().images.edit({ model: 'draws', prompt: 'x', images: [{ file_id: file.id }] } as never),
    ])
      assert.equal(await status(call()), 404);
    assert.equal((await client.files.retrieve(file.id)).id, file.id);
  });

  test("a list shows what is one's own, as many as one asked for", async () => {
    for (let i = 0; i < 3; i++) await newFile(other(), `other ${i}`);
    const own = [await newFile(), await newFile()].map(({ id }) => id);
    const page = await client.files.list({ limit: 2 });
    assert.deepEqual(new Set(page.data.map(({ id }) => id)), new Set(own));
    assert.deepEqual((await other().files.list({ limit: 2 })).data.length, 2);
    const all: string[] = [];
    for await (const { id } of other().files.list({ limit: 2 })) all.push(id);
    assert.equal(new Set(all).size, 3);
  });

  test('a list shows them also where others have made more since than a page holds', async () => {
    const { id } = await client.containers.create({ name: 'mine' });
    for (let i = 0; i < 101; i++) await other().containers.create({ name: `other ${i}` });
    const { data } = await client.containers.list({ limit: 1 });
    assert.deepEqual(
      data.map(one => one.id),
      [id],
    );
  });

  test('uploads in parts become a file', async () => {
    const upload = await client.uploads.create({ bytes: 10, filename: 'u.txt', mime_type: 'text/plain', purpose: 'user_data' });
    const parts = [];
    for (const content of ['hello', 'world'])
      parts.push((await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(content), 'part') })).id);
    assert.equal(await status(other().uploads.complete(upload.id, { part_ids: parts })), 404);
    const { file } = await client.uploads.complete(upload.id, { part_ids: parts });
    assert.equal(await (await client.files.content(file!.id)).text(), 'helloworld');
  });

  test('vector stores, containers, conversations and jobs are passed on and stay with who made them', async () => {
    const { id: file } = await newFile();
    const store = await client.vectorStores.create({ name: 's', file_ids: [file] });
    assert.equal((await client.vectorStores.search(store.id, { query: 'x' })).data[0]!.file_id, file);
    const container = await client.containers.create({ name: 'c' });
    const conversation = await client.conversations.create({ metadata: { a: 'b' } });
    const job = await client.fineTuning.jobs.create({ model: 'draws', training_file: file });
    assert.equal((await client.fineTuning.jobs.retrieve(job.id)).status, 'queued');
    for (const call of [
      () => other().vectorStores.retrieve(store.id),
      () => other().vectorStores.search(store.id, { query: 'x' }),
      () => other().containers.retrieve(container.id),
      () => other().conversations.retrieve(conversation.id),
      () => other().fineTuning.jobs.retrieve(job.id),
    ])
      assert.equal(await status(call()), 404);
    assert.equal((await client.conversations.delete(conversation.id)).deleted, true);
    assert.equal(await status(client.conversations.retrieve(conversation.id)), 404);
  });
});

describe('what other APIs have by the same paths', () => {
  test("is not OpenAI's: it goes nowhere, and its clients are told in their own words", async () => {
    const anthropic = new Anthropic({ apiKey: clientKey, baseURL: gateway.url, maxRetries: 0 });
    const asked = hosted.requests().length;
    for (const call of [
      async () => anthropic.beta.files.upload({ file: await picture() }),
      () => anthropic.beta.files.list(),
      () => anthropic.messages.batches.create({ requests: [] }),
    ])
      await assert.rejects(
        async () => call(),
        error => error instanceof Anthropic.NotFoundError && error.type === 'not_found_error',
      );
    const google = await get(`${gateway.url}/v1beta/cachedContents`);
    assert.deepEqual([google.status, google.json().error.status], [404, 'NOT_FOUND']);
    assert.equal(hosted.requests().length, asked);
  });
});

describe('what may be passed on', () => {
  test('is what the key may use: a model or a service by its name', async () => {
    const key = sdk(CHAT_ONLY);
    assert.equal(await status(key.images.generate({ model: 'draws', prompt: 'x' })), 200);
    assert.equal(await status(key.images.generate({ model: 'paints', prompt: 'x' })), 403);
    assert.equal(await status(key.files.list()), 403);
    assert.equal(await status(sdk('sk-nobody').files.list()), 401);
  });

  test('counts in budgets: before it is sent, by the most that it can cost', async () => {
    const before = hosted.requests().length;
    const refused = await post(`${gateway.url}/v1/images/generations`, { model: 'paints', prompt: 'x' }, { key: POOR });
    assert.deepEqual([refused.status, refused.json().error.code], [402, 'budget_exceeded']);
    assert.equal(await status(sdk(POOR).audio.transcriptions.create({ model: 'listens', file: await sound(2_000_000) })), 402);
    assert.equal(hosted.requests().length, before);
    assert.equal(await status(sdk(POOR).audio.speech.create({ model: 'reads', voice: 'alloy', input: 'Hi' })), 200);
  });

  test('is what the gateway has a meter for: another path says how it comes in', async () => {
    const { status, json } = await post(`${gateway.url}/v1/videos`, { model: 'sora-2', prompt: 'x' });
    assert.equal(status, 404);
    assert.match(json().error.message, /docs\/passthrough\.md/);
    const wrong = await post(`${gateway.url}/v1/batches/x`, {});
    assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET']);
    for (const path of ['/v1/files/..', '/v1/files/%2e%2e/content', '/v1/files/a%2Fb', '/v1/files//content'])
      assert.ok([400, 404].includes((await get(`${gateway.url}${path}`)).status), path);
  });
});

describe('uploads that do not arrive', () => {
  test('a provider that breaks off is an error, and not asked twice', async () => {
    failing('/v1/audio', 'cut-upload;bytes=200000');
    const before = hosted.requests().length;
    assert.equal(await status(client.audio.transcriptions.create({ model: 'listens', file: await sound(4_000_000) })), 502);
    assert.equal(hosted.requests().length, before + 1);
  });

  test('a client that leaves in the middle leaves nothing to pay', async () => {
    const socket = await open(gateway.port);
    const head = `POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n`;
    const begin =
      '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nlistens\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n';
    const asked = hosted.requests().length;
    socket.write(
      `${head}content-type: multipart/form-data; boundary=b\r\ncontent-length: 5000000\r\n\r\n${begin}${'x'.repeat(100_000)}`,
    );
    await until('the upload has begun', () => hosted.requests().length > asked);
    socket.destroy();
    const line = await until('its row', () =>
      gateway
        .logs()
        .split('\n')
        .find(text => text.includes('"failure":"client_closed"') && text.includes('"attempt"')),
    );
    assert.equal(JSON.parse(line).cost_usd, '0');
  });
});

describe('files that prompts name', () => {
  const chat = (id: string) => ({
    model: 'talks',
    messages: [{ role: 'user' as const, content: [{ type: 'file' as const, file: { file_id: id } }] }],
  });
  const responses = (id: string) => ({
    model: 'talks',
    input: [{ role: 'user' as const, content: [{ type: 'input_file' as const, file_id: id }] }],
  });

  test("are the tenant's own: another one's is not found, however it is written", async () => {
    const { id } = await client.files.create({ file: await toFile(Buffer.from('hello'), 'h.pdf'), purpose: 'user_data' });
    assert.equal(await status(client.chat.completions.create(chat(id))), 200);
    assert.equal(await status(client.responses.create(responses(id))), 200);
    const other = sdk(OTHER);
    assert.equal(await status(other.chat.completions.create(chat(id))), 404);
    assert.equal(await status(other.responses.create(responses(id))), 404);
    const hidden = JSON.stringify(chat(id)).replace('"file_id"', '"f\\u0069le_id"');
    const answered = await post(`${gateway.url}/v1/chat/completions`, hidden, { key: OTHER });
    assert.deepEqual([answered.status, answered.json().error.param], [404, 'messages[0].content[0].file.file_id']);
    const tools = [{ type: 'file_search' as const, vector_store_ids: ['vs_foreign'] }];
    assert.equal(await status(other.responses.create({ model: 'talks', input: 'x', tools })), 404);
  });
});

describe('the input of a response', () => {
  const input = 'Tell me of tolls.';
  test('is made shorter, and paid by what that took', async () => {
    const { data, response } = await client.responses.compact({ model: 'talks', input }).withResponse();
    assert.deepEqual([data.object, data.output[0]!.type], ['response.compaction', 'compaction']);
    const row = await rowOf(response);
    assert.deepEqual([row.prompt_tokens, row.completion_tokens], [data.usage.input_tokens, data.usage.output_tokens]);
    assert.equal(microdollars(row), data.usage.input_tokens + data.usage.output_tokens * 2);
  });
  test('goes to the first backend that has such a thing, whoever would answer', async () => {
    const { response } = await client.responses.inputTokens.count({ model: 'mixed', input }).withResponse();
    assert.equal((await rowOf(response)).provider, 'default/openai');
    const answered = await client.responses.create({ model: 'mixed', input }).withResponse();
    assert.equal((await rowOf(answered.response)).provider, 'default/anthropic');
  });
  test('is counted, which costs nothing', async () => {
    const { data, response } = await client.responses.inputTokens.count({ model: 'talks', input }).withResponse();
    assert.ok(data.input_tokens > 0);
    assert.deepEqual([(await rowOf(response)).cost, (await rowOf(response)).prompt_tokens], [0, 0]);
  });
  test("is the tenant's own, within its budget, of models that its key may use", async () => {
    const { id } = await client.responses.create({ model: 'talks', input });
    for (const call of [
      (of: OpenAI) => of.responses.compact({ model: 'talks', previous_response_id: id }),
      (of: OpenAI) => of.responses.inputTokens.count({ model: 'talks', previous_response_id: id }),
      (of: OpenAI) => of.responses.inputTokens.count({ model: 'talks', conversation: 'conv_foreign' }),
    ]) {
      assert.equal(await status(call(sdk(OTHER))), 404);
      assert.equal(await status(call(sdk(NO_TALK))), 403);
    }
    assert.equal(await status(client.responses.compact({ model: 'talks', previous_response_id: id })), 200);
    assert.equal(await status(sdk(POOR).responses.compact({ model: 'talks', input: 'x'.repeat(1000) })), 402);
  });
});

describe('items that conversations are made of', () => {
  test("are the tenant's own, in a conversation as in a request", async () => {
    const { output } = await client.responses.create({ model: 'talks', input: 'Hi' });
    const item = { type: 'item_reference' as const, id: output[0]!.id! };
    const picture = { type: 'image_generation_call', id: output[0]!.id! } as OpenAI.Responses.ResponseInputItem;
    const other = sdk(OTHER);
    for (const [who, wanted] of [
      [client, 200],
      [other, 404],
    ] as const) {
      assert.equal(await status(who.conversations.create({ items: [item] })), wanted);
      assert.equal(await status(who.responses.create({ model: 'talks', input: [item] })), wanted);
    }
    const { id } = await other.conversations.create();
    assert.equal(await status(other.conversations.items.create(id, { items: [item] })), 404);
    assert.equal(await status(other.responses.create({ model: 'talks', input: [picture] })), 404);
  });
});

describe('batches', () => {
  const line = (model: string, more: object = {}) =>
    JSON.stringify({
      custom_id: 'a',
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...more },
    });
  const upload = async (lines: readonly string[], of = client) =>
    of.files.create({ file: await toFile(Buffer.from(lines.join('\n')), 'batch.jsonl'), purpose: 'batch' });
  const batchOf = (input_file_id: string, of = client) =>
    of.batches.create({ input_file_id, endpoint: '/v1/chat/completions', completion_window: '24h' });
  /** Rows of batches, by their state, with what they are or were held for. */
  const rowsOfBatches = () =>
    readLedger(
      gateway,
      "select state, cost_nano_usd as cost, reserved_nano_usd as reserved, prompt_tokens, completion_tokens, tenant from attempts where operation = 'Batches' and model = 'talks' order by at",
    );

  test('cost half of what their requests would, once they are over, whoever looks', async () => {
    const { id } = await upload([line('gpt-5-mini'), line('gpt-5-mini')]);
    const { id: batch, status } = await batchOf(id);
    assert.equal(status, 'validating');
    const open = await until('its row', () => rowsOfBatches()[0]);
    assert.equal(open.state, 'open');
    assert.ok(open.reserved! > 2 * 100 * 2_000, String(open.reserved));
    assert.equal((await client.batches.retrieve(batch)).status, 'in_progress');
    const over = await client.batches.retrieve(batch);
    assert.equal(over.status, 'completed');
    const { input_tokens, output_tokens } = over.usage!;
    const row = await until('its end', () => rowsOfBatches().find(({ state }) => state === 'settled'));
    assert.deepEqual([row.prompt_tokens, row.completion_tokens], [input_tokens, output_tokens]);
    assert.equal(row.cost, (input_tokens * 1_000 + output_tokens * 2_000) / 2);
    assert.match(await (await client.files.content(over.output_file_id!)).text(), /"custom_id":"a"/);
    assert.equal((await client.batches.list()).data.length, 1);
    await client.batches.retrieve(batch);
    assert.equal(rowsOfBatches().length, 1);
  });

  test('lead to what they have made from their list as well', async () => {
    const { id } = await batchOf((await upload([line('gpt-5-mini')])).id);
    const output = await until('its end, by its maker', async () => {
      const told = (await client.batches.list()).data.find(batch => batch.id === id);
      return told?.output_file_id;
    });
    assert.match(await (await client.files.content(output)).text(), /"custom_id":"a"/);
  });

  test('are settled when nobody asks for them', async () => {
    const before = rowsOfBatches().length;
    await batchOf((await upload([line('gpt-5-mini')])).id);
    await until('its end', () => rowsOfBatches().filter(({ state }) => state === 'settled').length > before, 20_000);
  });

  test('are held for in budgets, and not made where they do not fit', async () => {
    const poor = sdk(POOR);
    const { id } = await upload([line('gpt-5-mini', { max_tokens: 1000 })], poor);
    const before = hosted.requests().length;
    assert.equal(await status(batchOf(id, poor)), 402);
    assert.equal(hosted.requests().length, before);
  });

  test("are made of models that the key may use, of files that were read, of what is the tenant's", async () => {
    const bad: readonly (readonly [lines: readonly string[], of: OpenAI, status: number])[] = [
      [[line('gpt-5-mini')], sdk(NO_TALK), 403],
      [[line('gpt-9')], client, 404],
      [[line('gpt-5-mini'), line('gpt-image-1')], client, 400],
      [['not JSON'], client, 400],
      [[''], client, 400],
      [[line('gpt-5-mini', { tools: [{ file_ids: ['file-foreign'] }] })], client, 404],
      [[line('gpt-5-mini', { previous_response_id: 'resp_foreign' })], client, 400],
      [[line('gpt-5-mini', { input: [{ type: 'item_reference', id: 'msg_foreign' }] })], client, 400],
    ];
    for (const [lines, of, wanted] of bad)
      assert.equal(await status(batchOf((await upload(lines, of)).id, of)), wanted, lines.join());
    const plain = await client.files.create({
      file: await toFile(Buffer.from(line('gpt-5-mini')), 'b.jsonl'),
      purpose: 'user_data',
    });
    assert.equal(await status(batchOf(plain.id)), 400);
    const { id } = await upload([line('gpt-5-mini')]);
    assert.equal(await status(batchOf(id, sdk(OTHER))), 404);
    const small = await upload([line('gpt-5-mini')], sdk(POOR));
    const large = await upload([line('gpt-5-mini', { max_tokens: 10_000 })], sdk(POOR));
    const hidden = {
      input_file_id: large.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { file_id: small.id },
    };
    assert.equal((await post(`${gateway.url}/v1/batches`, hidden, { key: POOR })).status, 402);
  });

  test('that the provider refuses cost nothing', async () => {
    const { id } = await upload([line('gpt-5-mini')]);
    const before = rowsOfBatches().length;
    failing('/v1/batches', '400');
    assert.equal(await status(batchOf(id)), 400);
    const row = await until('its end', () => rowsOfBatches()[before]);
    assert.deepEqual([row.state, row.cost], ['settled', 0]);
  });

  test('that are cancelled cost what was done', async () => {
    const before = rowsOfBatches().length;
    const { id } = await batchOf((await upload([line('gpt-5-mini')])).id);
    assert.equal((await client.batches.cancel(id)).status, 'cancelled');
    const row = await until('its end', () =>
      rowsOfBatches()
        .slice(before)
        .find(({ state }) => state === 'settled'),
    );
    assert.equal(row.cost, 0);
  });
});
