// Failures as the SDKs show them: their own error classes, whatever the provider behind; and failures they never see.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import AnthropicPrevious from 'anthropic-sdk-previous';
import OpenAI from 'openai';
import OpenAIPrevious from 'openai-previous';
import { clientKey, provider, route, tenantKey } from '#test/support/resources.ts';
import { faulty, openStage, type Stage, type Target, targets } from '#test/support/stage.ts';

const narrowKey = 'sk-narrow-0a9b8c7d6e5f40312233445566778899';
const faults = [
  '400',
  '401',
  '404',
  '413',
  '422',
  '429;after=0',
  '500',
  '503',
  '529',
  'context-length',
  'content-filter',
  'redirect',
  'html',
  'cut',
  'error-event',
  'stall',
];

let stage: Stage;
before(async () => {
  stage = await openStage(faults, ({ origin }) => [
    ...tenantKey('narrow', narrowKey, { models: { allow: ['anthropic-*'] } }),
    provider('spare', 'OpenAI', origin, ['gpt-4o-mini']),
    ...targets.flatMap(target =>
      ['429;after=0', '500', '529', '401', 'context-length'].map(fault =>
        route(
          `${faulty(target, fault)}-spared`,
          `${faulty(target, fault)}-spared`,
          [
            { name: 'first', providerRef: { name: target.name }, model: faulty(target, fault) },
            { name: 'spare', providerRef: { name: 'spare' }, model: 'gpt-4o-mini' },
          ],
          { retries: { attempts: 0 } },
        ),
      ),
    ),
  ]);
});
after(() => stage?.close());

/** One call of an SDK, whole or streamed to its end; `errors` are its own classes. */
type Sdk = {
  readonly name: string;
  readonly errors: Pick<
    typeof OpenAI,
    | 'APIError'
    | 'AuthenticationError'
    | 'BadRequestError'
    | 'InternalServerError'
    | 'NotFoundError'
    | 'PermissionDeniedError'
    | 'RateLimitError'
  >;
  readonly whole: (model: string, key?: string, maxRetries?: number) => Promise<string>;
  readonly streamed: (model: string) => Promise<string>;
  readonly models: () => Promise<string[]>;
};

const openaiSdk = (name: string, Client: typeof OpenAI): Sdk => {
  const client = (key = clientKey, maxRetries = 0) => new Client({ baseURL: `${stage.url}/v1`, apiKey: key, maxRetries });
  const asked = (model: string) => ({
    model,
    messages: [{ role: 'user' as const, content: 'Say something long. [[tokens=60]]' }],
  });
  return {
    name,
    errors: Client,
    whole: async (model, key, maxRetries) =>
      (await client(key, maxRetries).chat.completions.create(asked(model))).choices[0]!.message.content ?? '',
    async streamed(model) {
      let text = '';
      for await (const piece of await client().chat.completions.create({ ...asked(model), stream: true }))
        text += piece.choices[0]?.delta.content ?? '';
      return text;
    },
    models: async () => (await Array.fromAsync(client().models.list())).map(model => model.id),
  };
};

const anthropicSdk = (name: string, Client: typeof Anthropic): Sdk => {
  const client = (key = clientKey, maxRetries = 0) => new Client({ baseURL: stage.url, apiKey: key, maxRetries });
  const asked = (model: string) => ({
    model,
    max_tokens: 200,
    messages: [{ role: 'user' as const, content: 'Say something long. [[tokens=60]]' }],
  });
  const textOf = (reply: Anthropic.Message) => reply.content.map(block => (block.type === 'text' ? block.text : '')).join('');
  return {
    name,
    errors: Client as unknown as Sdk['errors'],
    whole: async (model, key, maxRetries) => textOf(await client(key, maxRetries).messages.create(asked(model))),
    streamed: async model => textOf(await client().messages.stream(asked(model)).finalMessage()),
    models: async () => (await Array.fromAsync(client().models.list())).map(model => model.id),
  };
};

const sdks: readonly Sdk[] = [
  openaiSdk('openai', OpenAI),
  openaiSdk('openai (previous major)', OpenAIPrevious as unknown as typeof OpenAI),
  anthropicSdk('@anthropic-ai/sdk', Anthropic),
  anthropicSdk('@anthropic-ai/sdk (previous major)', AnthropicPrevious as unknown as typeof Anthropic),
];

type ErrorName = keyof Sdk['errors'];

async function errorOf(promise: Promise<unknown>): Promise<Error & { status?: number; requestID?: string }> {
  const value = await promise.then(
    answered => ({ answered }),
    (error: Error) => ({ error }),
  );
  assert.ok('error' in value, `it should fail, but answered ${JSON.stringify(value)}`);
  return value.error;
}

const classes: readonly (readonly [fault: string, name: ErrorName, status: number])[] = [
  ['400', 'BadRequestError', 400],
  ['401', 'InternalServerError', 502],
  // Any longer wait opens the breaker.
  ['429;after=0', 'RateLimitError', 429],
  ['500', 'InternalServerError', 502],
  ['503', 'InternalServerError', 503],
  ['529', 'InternalServerError', 503],
  ['context-length', 'BadRequestError', 400],
  ['redirect', 'InternalServerError', 502],
  ['html', 'InternalServerError', 502],
];

for (const sdk of sdks) {
  describe(sdk.name, () => {
    const expectError = async (promise: Promise<unknown>, name: ErrorName, status: number): Promise<void> => {
      const error = await errorOf(promise);
      assert.ok(error instanceof sdk.errors[name], `${error.constructor.name}, not ${name}: ${error.message}`);
      assert.equal(error.status, status, error.message);
    };

    test('an unknown key is its AuthenticationError', () =>
      expectError(sdk.whole('openai-chat', 'sk-unknown-000000000000000000'), 'AuthenticationError', 401));

    test('a model the key may not use is its PermissionDeniedError', () =>
      expectError(sdk.whole('openai-chat', narrowKey), 'PermissionDeniedError', 403));

    test('an unknown model is its NotFoundError', () => expectError(sdk.whole('no-such-model'), 'NotFoundError', 404));

    test('the list of models has all that this key may use', async () => {
      const ids = await sdk.models();
      for (const { model } of targets) assert.ok(ids.includes(model), model);
    });

    for (const target of targets) describe(`to ${target.name}`, () => failures(sdk, target, expectError));
  });
}

function failures(
  sdk: Sdk,
  target: Target,
  expectError: (promise: Promise<unknown>, name: ErrorName, status: number) => Promise<void>,
): void {
  for (const [fault, name, status] of classes) {
    test(`${fault} of the provider is its ${name} with status ${status}, whole and streamed`, async () => {
      await expectError(sdk.whole(faulty(target, fault)), name, status);
      await expectError(sdk.streamed(faulty(target, fault)), name, status);
    });
  }

  for (const fault of ['cut', 'error-event']) {
    test(`${fault}: a stream that breaks raises an error instead of ending`, async () => {
      const error = await errorOf(sdk.streamed(faulty(target, fault)));
      // The SDKs make an APIError of a typed error event; none of them may take the answer for whole.
      assert.ok(error instanceof sdk.errors.APIError, `${error.constructor.name}: ${error.message}`);
    });
  }

  for (const fault of ['429;after=0', '500', '529', '401', 'context-length']) {
    test(`${fault} of the first provider is never seen where a second one answers`, async () => {
      const model = `${faulty(target, fault)}-spared`;
      assert.match(await sdk.whole(model), /simulated/);
      assert.match(await sdk.streamed(model), /simulated/);
    });
  }
}

test('the SDKs do not repeat what is not worth it: one upstream call for a 400, whatever their retries', async () => {
  for (const sdk of sdks) {
    stage.hosted.reset();
    await errorOf(sdk.whole(faulty(targets[0]!, '400'), clientKey, 2));
    assert.equal(stage.hosted.requests().length, 1, sdk.name);
  }
});
