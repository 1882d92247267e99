// Vertex AI as a pod asks it: without any key of its own, by the identity that its surroundings give it. Google's models, and Anthropic's in
// their own dialect.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type GoogleMetadata, startGoogleMetadata } from '#test/support/google-metadata.ts';
import { clientKey, provider, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-google-'));
let simulator: Simulator;
let cloud: GoogleMetadata;
before(async () => {
  simulator = await startSimulator({ keys: ['lent-token'] });
  cloud = await startGoogleMetadata('lent-token');
});
after(async () => {
  cloud?.close();
  await simulator?.close();
  rmSync(folder, { recursive: true, force: true });
});

const cloudHost = () => cloud.host;

function fileWith(name: string, content: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const models = { flash: 'gemini-3.8-flash', older: 'gemini-2.5-flash', claude: 'claude-sonnet-4-5@20250929' };

function resources(): Resource[] {
  const named = Object.entries(models).map(([name, upstreamName]) => ({ name, upstreamName }));
  const vertex = { gemini: { baseURL: simulator.origin, vertex: { project: 'my-project', location: 'europe-west4' } } };
  const { spec, ...rest } = provider('google', 'Gemini', simulator.origin, named, vertex);
  const { auth: _none, ...withoutKey } = spec as Record<string, unknown>;
  return [
    { ...rest, spec: withoutKey },
    ...tenantKey(),
    ...named.map(({ name }) =>
      route(name, name, [{ name: 'google', providerRef: { name: 'google' }, model: name }], { retries: { attempts: 0 } }),
    ),
    route(
      'sure',
      'sure',
      ['older', 'claude'].map(name => ({ name, providerRef: { name: 'google' }, model: name })),
      {
        retries: { attempts: 0 },
        cascade: { steps: [{ backend: 'older', accept: { minConfidence: '0.01' } }, { backend: 'claude' }] },
      },
    ),
  ];
}

const gatewayWith = (env: Record<string, string>): Promise<Gateway> => startGateway({ yaml: yamlOf(resources()), env });
const atMetadata = () => ({ GCE_METADATA_HOST: cloudHost() });
const openai = ({ url }: Gateway) => new OpenAI({ baseURL: `${url}/v1`, apiKey: clientKey, maxRetries: 0 });
const anthropic = ({ url }: Gateway) => new Anthropic({ baseURL: url, apiKey: clientKey, maxRetries: 0 });
const says = (content: string) => [{ role: 'user' as const, content }];

const identities: readonly (readonly [string, () => Record<string, string>])[] = [
  ['the metadata server, as with workload identity on GKE', atMetadata],
  [
    'workload identity federation',
    () => ({
      GOOGLE_APPLICATION_CREDENTIALS: fileWith(
        'federation.json',
        JSON.stringify({
          type: 'external_account',
          audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
          token_url: `http://${cloudHost()}/v1/token`,
          credential_source: { file: fileWith('subject-token', 'web-token') },
        }),
      ),
    }),
  ],
];

for (const [name, env] of identities)
  test(`a token comes from ${name}`, async () => {
    const gateway = await gatewayWith(env());
    try {
      const answer = await openai(gateway).chat.completions.create({ model: 'flash', messages: says('Who am I?') });
      assert.match(answer.choices[0]!.message.content!, /Who am I\?/);
    } finally {
      await gateway.stop();
    }
  });

test('who cannot say who it is, is told so, and nothing is sent', async () => {
  simulator.reset();
  const nobody = { GOOGLE_APPLICATION_CREDENTIALS: path.join(folder, 'not-there.json') };
  const gateway = await gatewayWith(nobody);
  try {
    await assert.rejects(openai(gateway).chat.completions.create({ model: 'flash', messages: says('Hi') }), (error: unknown) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.equal(error.code, 'upstream_auth_failed');
      return true;
    });
    assert.equal(simulator.requests().length, 0);
  } finally {
    await gateway.stop();
  }
});

describe('with an identity', () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await gatewayWith(atMetadata());
  });
  after(() => gateway?.stop());

  test("Google's models are at the place of the project, without ids of calls", async () => {
    simulator.reset();
    const { models } = new GoogleGenAI({ apiKey: clientKey, httpOptions: { baseUrl: gateway.url } });
    assert.match((await models.generateContent({ model: 'flash', contents: 'Hello' })).text!, /Hello/);
    const tools: OpenAI.Chat.ChatCompletionTool[] = [{ type: 'function', function: { name: 'get_time', parameters: {} } }];
    const asked = { model: 'flash', messages: says('Call get_time.'), tools };
    const { message } = (await openai(gateway).chat.completions.create(asked)).choices[0]!;
    const result = { role: 'tool' as const, tool_call_id: message.tool_calls![0]!.id, content: 'noon' };
    const next = await openai(gateway).chat.completions.create({ ...asked, messages: [...asked.messages, message, result] });
    assert.match(next.choices[0]!.message.content!, /get_time returned: noon/);
    const folderOf =
      '/v1beta1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-3.8-flash:generateContent';
    assert.deepEqual(new Set(simulator.requests().map(({ path }) => path)), new Set([folderOf]));
  });

  test('a cascade asks how sure a model is, and its client is not told what it did not ask for', async () => {
    simulator.reset();
    const { models } = new GoogleGenAI({ apiKey: clientKey, httpOptions: { baseUrl: gateway.url } });
    const asked = { model: 'sure', contents: 'Hello' };
    const whole = await models.generateContent(asked);
    assert.equal(whole.modelVersion, 'gemini-2.5-flash');
    assert.equal(whole.candidates?.[0]?.logprobsResult, undefined);
    const streamed = [];
    for await (const chunk of await models.generateContentStream(asked)) streamed.push(chunk);
    assert.equal(streamed.map(({ text }) => text).join(''), whole.text);
    assert.ok(streamed.every(({ candidates }) => candidates?.[0]?.logprobsResult === undefined));
    assert.match(
      (await openai(gateway).chat.completions.create({ model: 'sure', messages: says('Hello') })).model,
      /gemini-2\.5-flash/,
    );
    for (const { body } of simulator.requests())
      assert.deepEqual((body as Record<string, unknown>).generationConfig, { responseLogprobs: true });
  });

  test("Anthropic's models pass through in their own dialect: whole, streamed, counted", async () => {
    simulator.reset();
    const asked = { model: 'claude', max_tokens: 500, messages: says('Tell me of tolls.') };
    const whole = await anthropic(gateway).messages.create(asked);
    assert.match(JSON.stringify(whole.content), /Tell me of tolls\./);
    const streamed = await anthropic(gateway).messages.stream(asked).finalMessage();
    assert.deepEqual(streamed.content, whole.content);
    assert.ok((await anthropic(gateway).messages.countTokens({ model: 'claude', messages: says('Hi') })).input_tokens > 0);
    const publisher = '/v1/projects/my-project/locations/europe-west4/publishers/anthropic/models';
    assert.deepEqual(
      simulator.requests().map(({ path }) => path),
      [
        `${publisher}/claude-sonnet-4-5@20250929:rawPredict`,
        `${publisher}/claude-sonnet-4-5@20250929:streamRawPredict`,
        `${publisher}/count-tokens:rawPredict`,
      ],
    );
    const sent = simulator.requests()[0]!.body as Record<string, unknown>;
    assert.deepEqual(sent, { max_tokens: 500, messages: says('Tell me of tolls.'), anthropic_version: 'vertex-2023-10-16' });
  });

  test('and are translated for others', async () => {
    const answer = await openai(gateway).chat.completions.create({ model: 'claude', messages: says('Hello') });
    assert.match(answer.choices[0]!.message.content!, /Hello/);
    const { models } = new GoogleGenAI({ apiKey: clientKey, httpOptions: { baseUrl: gateway.url } });
    assert.match((await models.generateContent({ model: 'claude', contents: 'Hello' })).text!, /Hello/);
  });
});
