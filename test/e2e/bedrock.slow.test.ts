// Bedrock as a pod asks it: without any key of its own, by the identity that its surroundings give it. The simulator verifies each signature.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { readLedger } from '#test/support/ledger-rows.ts';
import { clientKey, provider, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-aws-'));
let simulator: Simulator;
let clouds: Server;
before(async () => {
  simulator = await startSimulator({ keys: ['AKIAOWN:own-secret', 'ASIALENT:lent-secret:lent-session'] });
  clouds = await listening(cloud);
});
after(async () => {
  clouds?.close();
  await simulator?.close();
  rmSync(folder, { recursive: true, force: true });
});

const claude = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const profile = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3';

const resources = (): Resource[] => {
  const { spec, ...rest } = provider('aws', 'Bedrock', simulator.origin, [
    { name: 'nova', upstreamName: 'us.amazon.nova-lite-v1:0' },
    { name: 'claude', upstreamName: claude },
    { name: 'ours', upstreamName: profile },
  ]);
  const { auth: _none, ...withoutKey } = spec as Record<string, unknown>;
  return [
    { ...rest, spec: withoutKey },
    ...tenantKey(),
    ...['nova', 'claude', 'ours'].map(model =>
      route(model, model, [{ name: 'aws', providerRef: { name: 'aws' }, model }], { retries: { attempts: 0 } }),
    ),
  ];
};

async function gatewayWith(env: Record<string, string>, nodeArguments: string[] = []): Promise<Gateway> {
  const none = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
  return startGateway({ yaml: yamlOf(resources()), env: { ...none, ...env }, nodeArguments });
}

const openai = (gateway: Gateway) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey, maxRetries: 0 });
const says = (content: string) => [{ role: 'user' as const, content }];

/** What EKS's agent of pod identities and AWS's token service say; both take the token that the pod was given. */
function cloud(request: IncomingMessage, body: string): { status: number; type: string; body: string } {
  const Expiration = new Date(Date.now() + 3_600_000).toISOString();
  if (request.headers.authorization === 'pod-token')
    return {
      status: 200,
      type: 'application/json',
      body: JSON.stringify({ AccessKeyId: 'ASIALENT', SecretAccessKey: 'lent-secret', Token: 'lent-session', Expiration }),
    };
  const asked = new URLSearchParams(body);
  if (asked.get('Action') !== 'AssumeRoleWithWebIdentity' || asked.get('WebIdentityToken') !== 'web-token')
    return { status: 403, type: 'text/plain', body: 'no' };
  return {
    status: 200,
    type: 'text/xml',
    body: `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIALENT</AccessKeyId><SecretAccessKey>lent-secret</SecretAccessKey><SessionToken>lent-session</SessionToken><Expiration>${Expiration}</Expiration></Credentials><AssumedRoleUser><Arn>${asked.get('RoleArn')}</Arn><AssumedRoleId>x:y</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
  };
}

async function listening(answer: typeof cloud): Promise<Server> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      const { status, type, body: said } = answer(request, body);
      response.writeHead(status, { 'content-type': type }).end(said);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}
const cloudOrigin = () => `http://127.0.0.1:${(clouds.address() as AddressInfo).port}`;

function fileWith(name: string, content: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const identities: readonly (readonly [string, () => Record<string, string>])[] = [
  ['keys in the environment', () => ({ AWS_ACCESS_KEY_ID: 'AKIAOWN', AWS_SECRET_ACCESS_KEY: 'own-secret' })],
  [
    'a file of credentials',
    () => ({
      AWS_SHARED_CREDENTIALS_FILE: fileWith(
        'credentials',
        '[default]\naws_access_key_id = AKIAOWN\naws_secret_access_key = own-secret\n',
      ),
    }),
  ],
  [
    'EKS Pod Identity',
    () => ({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${cloudOrigin()}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: fileWith('pod-token', 'pod-token'),
    }),
  ],
  [
    'IRSA: a role for a service account',
    () => ({
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/gateway',
      AWS_WEB_IDENTITY_TOKEN_FILE: fileWith('web-token', 'web-token'),
      AWS_ENDPOINT_URL_STS: cloudOrigin(),
      AWS_REGION: 'us-east-1',
    }),
  ],
];

for (const [name, env] of identities)
  describe(`signed by ${name}`, () => {
    let gateway: Gateway;
    before(async () => {
      gateway = await gatewayWith(env());
    });
    after(() => gateway?.stop());

    test('models answer by their ids and by the ARN of a profile, whole and streamed', async () => {
      const client = openai(gateway);
      for (const model of ['nova', 'claude', 'ours']) {
        const whole = await client.chat.completions.create({ model, messages: says('Who pays?') });
        const streamed = await client.chat.completions.stream({ model, messages: says('Who pays?') }).finalContent();
        assert.match(whole.choices[0]!.message.content ?? '', /Who pays\?/);
        assert.equal(streamed, whole.choices[0]!.message.content);
      }
      const { requests } = (await (await fetch(`${simulator.origin}/__simulator/requests`)).json()) as {
        requests: { path: string }[];
      };
      assert.ok(requests.some(({ path: asked }) => asked === `/model/${encodeURIComponent(profile)}/converse-stream`));
    });

    test("Anthropic's client gets Anthropic's own events, and a count of the model's own", async () => {
      const client = new Anthropic({ baseURL: gateway.url, apiKey: clientKey, maxRetries: 0 });
      const ask = { model: 'claude', max_tokens: 100, messages: says('Who pays?') };
      const final = await client.messages.stream(ask).finalMessage();
      assert.match(final.id, /^msg_/);
      assert.match(final.content[0]!.type === 'text' ? final.content[0]!.text : '', /Who pays\?/);
      const thought = { type: 'thinking' as const, thinking: 'Hm.', signature: 'tollgate-unsigned' };
      const foreign = { role: 'assistant' as const, content: [thought, { type: 'text' as const, text: 'You.' }] };
      for (const messages of [says('Who pays?'), [...says('Who pays?'), foreign, ...says('And then?')]])
        assert.ok((await client.messages.countTokens({ model: 'claude', messages })).input_tokens > 0);
    });
  });

describe('a gateway that cannot say who it is', () => {
  async function refused(gateway: Gateway): Promise<string> {
    try {
      const error = await openai(gateway)
        .chat.completions.create({ model: 'nova', messages: says('Hi') })
        .then(
          () => assert.fail('answered'),
          (thrown: unknown) => thrown,
        );
      assert.ok(error instanceof OpenAI.APIError && error.status === 502);
      assert.equal(error.code, 'upstream_auth_failed');
      const row = await until('its row', () => readLedger(gateway, "select * from attempts where state = 'settled'")[0]);
      assert.deepEqual([row.failure, Number(row.cost_nano_usd)], ['upstream_auth_failed', 0]);
      return error.message;
    } finally {
      await gateway.stop();
    }
  }

  test('for want of any identity says so, and asks nobody', async () => {
    simulator.reset();
    assert.equal(await refused(await gatewayWith({})), '502 The gateway has no identity for this provider.');
    const { count } = (await (await fetch(`${simulator.origin}/__simulator/requests`)).json()) as { count: number };
    assert.equal(count, 0);
  });

  test('for a wrong key is not believed', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKIAOWN', AWS_SECRET_ACCESS_KEY: 'wrong' };
    assert.doesNotMatch(await refused(await gatewayWith(env)), /signature|AKIA/i);
  });

  test('for its clock is told that it is the clock', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKIAOWN', AWS_SECRET_ACCESS_KEY: 'own-secret' };
    const ahead = fileWith(
      'ahead.mjs',
      'const real = Date; globalThis.Date = class extends real { constructor(...a) { if (a.length) super(...a); else super(real.now() + 3_600_000); } };',
    );
    assert.match(await refused(await gatewayWith(env, ['--import', ahead])), /clock of the gateway/);
  });
});
