// A gateway that is configured by nothing but `tollgate import litellm`, from the example files of the documentation, serves what they ask for: real SDK
// calls against the simulator.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';

const root = path.join(import.meta.dirname, '..', '..');
const examples = path.join(root, 'docs', 'examples', 'litellm');

/** What clients have: the keys of keys.json, which knows them by their hashes, and LiteLLM's master key. */
const searchKey = 'sk-search-0123456789abcdefghij';
const nightlyKey = 'sk-nightly-0123456789abcdefghi';
const environment = {
  OPENAI_API_KEY: 'sk-openai-0123456789abcdefghij',
  ANTHROPIC_API_KEY: 'sk-anthropic-0123456789abcdefghij',
  LITELLM_MASTER_KEY: 'sk-litellm-0123456789abcdefghij',
};

function imported(folder: string, origin: string) {
  const config = path.join(folder, 'config.yaml');
  writeFileSync(config, readFileSync(path.join(examples, 'config.yaml'), 'utf8').replaceAll('http://127.0.0.1:4010', origin));
  const lists = ['--keys', path.join(examples, 'keys.json'), '--teams', path.join(examples, 'teams.json')];
  const run = spawnSync(process.execPath, ['cli/main.ts', 'import', 'litellm', config, ...lists], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stderr);
  return { yaml: run.stdout, said: run.stderr };
}

describe('a gateway made from a LiteLLM configuration', () => {
  let simulator: Simulator;
  let gateway: Gateway;
  let folder: string;
  let said: string;
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'tollgate-import-'));
    simulator = await startSimulator();
    const { yaml, said: text } = imported(folder, simulator.origin);
    said = text;
    gateway = await startGateway({ yaml, env: environment });
  });
  after(async () => {
    await gateway?.stop();
    await simulator?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const openai = (apiKey = searchKey) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
  const ask = (model: string, content: string, apiKey?: string) =>
    openai(apiKey)
      .chat.completions.create({ model, messages: [{ role: 'user', content }] })
      .withResponse();

  test('every object of it is live', () => {
    assert.match(gateway.logs(), /3 providers, 3 routes, 3 keys are live/);
  });

  test('keys go on working, and the second call hits the cache', async () => {
    const first = await ask('assistant', 'What is the capital of France?');
    assert.equal(first.response.headers.get('x-tollgate-cache'), 'miss');
    const second = await ask('assistant', 'What is the capital of France?');
    assert.equal(second.response.headers.get('x-tollgate-cache'), 'hit');
    assert.deepEqual(second.data.choices[0]!.message.content, first.data.choices[0]!.message.content);
  });

  test('an alias asks for the model behind it, and a model that the key may not use is refused', async () => {
    const { response } = await ask('gpt-3.5-turbo', 'Which route is this?');
    assert.equal(response.headers.get('x-tollgate-route'), 'default/assistant');
    await assert.rejects(ask('long-documents', 'Hello'), { status: 403 });
  });

  test('the fallback answers where the first model fails, streamed or not', async () => {
    simulator.addFault({ match: { path: '/v1/chat' }, fault: '503' });
    try {
      const { response } = await ask('assistant', 'Who answers now?');
      assert.equal(response.headers.get('x-tollgate-fallback'), 'true');
      assert.equal(response.headers.get('x-tollgate-model'), 'claude-haiku-4-5');
      const stream = await openai().chat.completions.create({
        model: 'assistant',
        messages: [{ role: 'user', content: 'And who streams?' }],
        stream: true,
      });
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      assert.ok(text.length > 0);
    } finally {
      simulator.reset();
    }
  });

  test('a budget that is spent refuses', async () => {
    await assert.rejects(ask('assistant', 'Hello', nightlyKey), (error: unknown) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.deepEqual([error.status, error.type], [402, 'budget_exceeded']);
      return true;
    });
  });

  test('the master key of LiteLLM calls models, with the SDK of Anthropic too', async () => {
    const client = new Anthropic({ baseURL: gateway.url, apiKey: environment.LITELLM_MASTER_KEY, maxRetries: 0 });
    const message = await client.messages.create({
      model: 'assistant-backup',
      max_tokens: 50,
      messages: [{ role: 'user', content: 'Hello' }],
    });
    assert.equal(message.role, 'assistant');
  });

  test('the budget of the team is that of its keys together', async () => {
    const answer = await fetch(`${gateway.url}/key/info`, { headers: { authorization: `Bearer ${searchKey}` } });
    const { info } = (await answer.json()) as { info: { budgets: readonly { name: string; scope: string; amount: number }[] } };
    assert.deepEqual(
      info.budgets.map(({ name, scope, amount }) => [name, scope, amount]),
      [
        ['max-budget', 'Key', 25],
        ['team', 'Tenant', 100],
      ],
    );
  });

  test('what was not carried over was told, with its line', () => {
    assert.match(said, /config\.yaml:\d+: litellm_settings\.cache_params\.host: set REDIS_URL/);
    assert.match(said, /config\.yaml:\d+: litellm_settings\.success_callback: langfuse: set OTEL_EXPORTER_OTLP_ENDPOINT/);
    assert.match(said, /keys\.json:\d+: keys\[0\]\.spend: what was spent is not carried over/);
    assert.doesNotMatch(said, /sk-search|sk-nightly/);
  });
});

test('files that are there are not written over, and a file that cannot be read is named', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-import-'));
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ['cli/main.ts', 'import', 'litellm', ...args], { cwd: root, encoding: 'utf8' });
  try {
    const config = path.join(examples, 'config.yaml');
    const out = path.join(folder, 'gateway');
    assert.equal(run(config, '--out', out).status, 0);
    const again = run(config, '--out', out);
    assert.deepEqual([again.status, /providers\.yaml is there already/.test(again.stderr)], [1, true]);
    assert.equal(run(config, '--strict').status, 1);
    const broken = path.join(folder, 'broken.yaml');
    writeFileSync(broken, 'model_list:\n- model_name: [\n');
    assert.match(run(broken).stderr, /broken\.yaml:\d+: /);
    assert.equal(run(path.join(folder, 'none.yaml')).status, 1);
    assert.equal(run().status, 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
