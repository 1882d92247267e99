// The Bedrock wires, seen by AWS's own client: it signs, encodes paths and reads the binary streams.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  BedrockRuntimeClient,
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { startSimulator } from '../index.ts';

const keys = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const simulator = await startSimulator({ keys: ['AKIATEST:secret', 'ASIATEST:secret:session', 'bearer-key'] });
after(() => simulator.close());

const clientWith = (options: object = { credentials: keys }) =>
  new BedrockRuntimeClient({
    endpoint: simulator.origin,
    region: 'eu-central-1',
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(),
    ...options,
  });
const client = clientWith();
after(() => client.destroy());

const claude = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const nova = 'eu.amazon.nova-lite-v1:0';
const hello: ConverseCommandInput = { modelId: claude, messages: [{ role: 'user', content: [{ text: 'Hello there' }] }] };
const weather = {
  toolSpec: {
    name: 'get_weather',
    inputSchema: { json: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  },
};

async function streamed(input: ConverseCommandInput) {
  const { stream } = await client.send(new ConverseStreamCommand(input));
  let text = '';
  let stopReason: string | undefined;
  let usage: unknown;
  for await (const event of stream!) {
    text += event.contentBlockDelta?.delta?.text ?? event.contentBlockDelta?.delta?.reasoningContent?.text ?? '';
    stopReason ??= event.messageStop?.stopReason;
    usage ??= event.metadata?.usage;
  }
  return { text, stopReason, usage };
}

const named = (name: string, message: RegExp) => (error: unknown) => {
  assert.equal((error as Error).name, name);
  assert.match((error as Error).message, message);
  return true;
};

test('a stream folds to the answer that is given whole, with the same usage', async () => {
  for (const modelId of [claude, nova, 'arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/a1b2c3']) {
    const whole = await client.send(new ConverseCommand({ ...hello, modelId }));
    const { text, stopReason, usage } = await streamed({ ...hello, modelId });
    assert.equal(text, whole.output!.message!.content![0]!.text);
    assert.match(text, /Hello there/);
    assert.deepEqual([stopReason, usage], [whole.stopReason, whole.usage]);
  }
});

describe('a request', () => {
  test('is let in with keys, with keys that are lent, and with a bearer token', async () => {
    for (const options of [
      { credentials: { accessKeyId: 'ASIATEST', secretAccessKey: 'secret', sessionToken: 'session' } },
      { token: { token: 'bearer-key' }, authSchemePreference: ['httpBearerAuth'] },
    ])
      assert.equal((await clientWith(options).send(new ConverseCommand(hello))).stopReason, 'end_turn');
  });

  test('is not let in with a wrong secret, an unknown key, a session that is none, or a clock that is wrong', async () => {
    const send = (options: object) => clientWith(options).send(new ConverseCommand(hello));
    await assert.rejects(
      send({ credentials: { ...keys, secretAccessKey: 'wrong' } }),
      named('InvalidSignatureException', /does not match/),
    );
    await assert.rejects(
      send({ credentials: { ...keys, accessKeyId: 'AKIAOTHER' } }),
      named('UnrecognizedClientException', /invalid/),
    );
    await assert.rejects(send({ credentials: { ...keys, sessionToken: 'x' } }), named('UnrecognizedClientException', /invalid/));
    const hour = 3_600_000;
    await assert.rejects(
      send({ credentials: keys, systemClockOffset: -hour }),
      named('InvalidSignatureException', /^Signature expired/),
    );
    await assert.rejects(
      send({ credentials: keys, systemClockOffset: hour }),
      named('InvalidSignatureException', /not yet current/),
    );
  });
});

test('tools are called, and their results are quoted in the next turn', async () => {
  const ask = {
    ...hello,
    messages: [{ role: 'user' as const, content: [{ text: 'use get_weather' }] }],
    toolConfig: { tools: [weather] },
  };
  const whole = await client.send(new ConverseCommand(ask));
  assert.equal(whole.stopReason, 'tool_use');
  const { toolUse } = whole.output!.message!.content![0]!;
  const result: ContentBlock = { toolResult: { toolUseId: toolUse!.toolUseId, content: [{ text: 'sunny' }] } };
  const messages = [...ask.messages, whole.output!.message!, { role: 'user' as const, content: [result] }];
  const next = await client.send(new ConverseCommand({ ...ask, messages }));
  assert.match(next.output!.message!.content![0]!.text!, /get_weather returned: sunny/);
  await assert.rejects(
    client.send(new ConverseCommand({ modelId: claude, messages })),
    named('ValidationException', /toolConfig field must be defined/),
  );
});

test('thinking comes back signed, and what is changed is refused', async () => {
  const ask: ConverseCommandInput = {
    ...hello,
    inferenceConfig: { maxTokens: 4000 },
    additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 1024 } },
  };
  const whole = await client.send(new ConverseCommand(ask));
  const { content = [] } = whole.output!.message!;
  assert.equal((await streamed(ask)).text, content[0]!.reasoningContent!.reasoningText!.text! + content[1]!.text!);
  const go = (first: ContentBlock) =>
    client.send(
      new ConverseCommand({
        ...ask,
        messages: [
          ...ask.messages!,
          { role: 'assistant', content: [first, content[1]!] },
          { role: 'user', content: [{ text: 'go on' }] },
        ],
      }),
    );
  assert.equal((await go(content[0]!)).stopReason, 'end_turn');
  await assert.rejects(
    go({ reasoningContent: { reasoningText: { text: 'other', signature: 'x' } } }),
    named('ValidationException', /Invalid `signature`/),
  );
});

const refusals: readonly (readonly [string, Partial<ConverseCommandInput>, RegExp])[] = [
  ['an unknown model', { modelId: 'gpt-4o' }, /model identifier is invalid/],
  ['a blank text', { messages: [{ role: 'user', content: [{ text: ' ' }] }] }, /is blank/],
  ['two turns of one role', { messages: [...hello.messages!, ...hello.messages!] }, /must alternate/],
  [
    'a forced tool',
    { modelId: 'meta.llama4-maverick-17b-instruct-v1:0', toolConfig: { tools: [weather], toolChoice: { any: {} } } },
    /toolChoice\.any/,
  ],
  [
    'top_k',
    { modelId: 'meta.llama4-maverick-17b-instruct-v1:0', additionalModelRequestFields: { top_k: 5 } },
    /extraneous key \[top_k\]/,
  ],
  [
    'a cache point',
    { modelId: 'meta.llama4-maverick-17b-instruct-v1:0', system: [{ text: 'x' }, { cachePoint: { type: 'default' } }] },
    /prompt caching/,
  ],
  ['stop sequences', { modelId: 'openai.gpt-oss-120b-1:0', inferenceConfig: { stopSequences: ['x'] } }, /stopSequences/],
];
for (const [name, change, message] of refusals)
  test(`${name} is refused as the service does`, async () => {
    await assert.rejects(client.send(new ConverseCommand({ ...hello, ...change })), named('ValidationException', message));
  });

describe("Anthropic's models by InvokeModel", () => {
  const body = { anthropic_version: 'bedrock-2023-05-31', max_tokens: 100, messages: [{ role: 'user', content: 'Hello there' }] };
  const input = (change: object = {}) => ({
    modelId: claude,
    contentType: 'application/json',
    body: JSON.stringify({ ...body, ...change }),
  });

  test('answer in their own dialect, whole and as a stream', async () => {
    const { body: bytes } = await client.send(new InvokeModelCommand(input()));
    const whole = JSON.parse(Buffer.from(bytes).toString());
    const { body: chunks } = await client.send(new InvokeModelWithResponseStreamCommand(input()));
    let text = '';
    for await (const { chunk } of chunks!) text += JSON.parse(Buffer.from(chunk!.bytes!).toString()).delta?.text ?? '';
    assert.equal(text, whole.content[0].text);
  });

  test('take neither what is in the path nor betas that nobody knows', async () => {
    for (const [change, message] of [
      [{ model: claude }, /extraneous key \[model\]/],
      [{ anthropic_beta: ['oauth-2025-04-20'] }, /invalid beta flag/],
      [{ anthropic_version: '2023-06-01' }, /anthropic_version/],
    ] as const)
      await assert.rejects(client.send(new InvokeModelCommand(input(change))), named('ValidationException', message));
  });

  test('are counted for, by either form, unless an inference profile is asked', async () => {
    const modelId = claude.slice('eu.'.length);
    const invokeModel = { body: Buffer.from(JSON.stringify(body)) };
    for (const counted of [{ invokeModel }, { converse: { messages: hello.messages } }])
      assert.ok((await client.send(new CountTokensCommand({ modelId, input: counted }))).inputTokens! > 0);
    await assert.rejects(
      client.send(new CountTokensCommand({ modelId: claude, input: { invokeModel } })),
      named('ValidationException', /doesn't support counting tokens/),
    );
  });
});

describe('a stream that goes wrong', () => {
  const faulted = (fault: string) => streamed({ ...hello, modelId: `${nova}!${fault}` });

  test('has an exception that the client knows', async () => {
    await assert.rejects(faulted('error-event'), named('ThrottlingException', /Too many tokens/));
  });
  test('has a frame with a wrong checksum, or half a frame', async () => {
    await assert.rejects(faulted('bad-crc'), /checksum/);
    await assert.rejects(faulted('cut-frame'), /truncated/i);
  });
});
