// Routes with checks, asked by ways on which nobody could check: what a provider kept of an answer, batches, sessions, pictures.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { WebSocket } from 'ws';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { clientKey, directRoute, patient, provider, providerSecret, tenantKey, yamlOf } from '#test/support/resources.ts';

const check = (when: string) => ({ name: `data-${when.toLowerCase()}`, when, sensitiveData: { action: 'Deny' } });
const checked = { hooks: [check('After')] };
const asked = { hooks: [check('Before')] };

let hosted: Simulator;
let gateway: Gateway;
let client: OpenAI;
before(async () => {
  hosted = await startSimulator();
  const yaml = yamlOf(
    providerSecret,
    provider(
      'openai',
      'OpenAI',
      hosted.origin,
      [
        { name: 'talks', upstreamName: 'gpt-5-mini' },
        { name: 'free', upstreamName: 'gpt-5' },
        { name: 'draws', upstreamName: 'gpt-image-1' },
        { name: 'voice', upstreamName: 'gpt-realtime' },
        { name: 'asked', upstreamName: 'gpt-4o' },
      ],
      patient,
    ),
    directRoute('talks', ['openai'], checked),
    directRoute('draws', ['openai'], checked),
    directRoute('voice', ['openai'], checked),
    directRoute('asked', ['openai'], asked),
    directRoute('free', ['openai']),
    tenantKey(),
  );
  gateway = await startGateway({ yaml });
  client = new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
after(async () => {
  await gateway?.stop();
  await hosted?.close();
});

const status = (call: PromiseLike<unknown>): Promise<number> =>
  Promise.resolve(call).then(
    () => 200,
    error => error.status as number,
  );
/** @returns its status, where nothing of it came to the provider */
async function refused(call: () => PromiseLike<unknown>): Promise<number> {
  const before = hosted.requests().length;
  const told = await status(call());
  assert.equal(hosted.requests().length, before);
  return told;
}

describe('a route that checks answers', () => {
  test("has them not given again by their id; what was asked is the client's own, and may be deleted", async () => {
    const { id } = await client.responses.create({ model: 'talks', input: 'Hello' });
    assert.equal(await refused(() => client.responses.retrieve(id)), 403);
    assert.equal(await refused(() => client.responses.retrieve(id, { stream: true })), 403);
    assert.equal(await refused(() => client.responses.cancel(id)), 403);
    assert.equal(await status(client.responses.inputItems.list(id)), 200);
    assert.equal(await status(client.responses.delete(id)), 200);
    assert.equal(await refused(() => client.responses.retrieve(id)), 404);
  });

  test('has them given again where nobody checks', async () => {
    const { id } = await client.responses.create({ model: 'free', input: 'Hello' });
    assert.equal((await client.responses.retrieve(id)).id, id);
  });

  test('makes no pictures, no shorter input and no sessions, as it could not look into them', async () => {
    assert.equal(await refused(() => client.images.generate({ model: 'draws', prompt: 'a cat' })), 400);
    assert.equal(await refused(() => client.responses.compact({ model: 'talks', input: 'Hello' })), 400);
    const before = hosted.requests().length;
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/realtime?model=voice`, {
      headers: { authorization: `Bearer ${clientKey}` },
    });
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    response.resume();
    assert.equal(response.statusCode, 400);
    assert.equal(hosted.requests().length, before);
  });
});

describe('a model whose route has checks', () => {
  const batchFor = async (model: string, url = '/v1/chat/completions') => {
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url, body: { model, messages: [], max_tokens: 5 } });
    const { id } = await client.files.create({ file: await toFile(Buffer.from(line), 'b.jsonl'), purpose: 'batch' });
    return () => client.batches.create({ input_file_id: id, endpoint: url as '/v1/responses', completion_window: '24h' });
  };

  for (const name of ['talks', 'gpt-5-mini', 'asked', 'gpt-4o'])
    test(`is none for a batch, by the name ${name}: alone, its lines would be checked`, async () => {
      assert.equal(await refused(await batchFor(name)), 400);
    });

  test('beside one whose route has none, which is', async () => {
    assert.equal(await status((await batchFor('free'))()), 200);
  });

  test('is checked for what is counted and made shorter as well', async () => {
    const input = 'Charge 4111 1111 1111 1111';
    assert.equal(await refused(() => client.responses.compact({ model: 'asked', input })), 400);
    assert.equal(await refused(() => client.responses.inputTokens.count({ model: 'asked', input })), 400);
    assert.equal(await status(client.responses.inputTokens.count({ model: 'asked', input: 'Hello' })), 200);
  });
});
