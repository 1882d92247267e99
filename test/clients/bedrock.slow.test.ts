// AWS's own client and the AI SDK's, pointed at the gateway: a key of Tollgate is their Bedrock API key. Models of any provider answer them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import {
  BedrockRuntimeClient,
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { generateText, streamText } from 'ai';
import { clientKey } from '#test/support/resources.ts';
import { faulty, openStage, pdf, png, type Stage, type Target, targets, weatherSchema } from '#test/support/stage.ts';

let stage: Stage;
let client: BedrockRuntimeClient;
before(async () => {
  stage = await openStage(['cut', 'error-event', '400', '429;after=0']);
  client = new BedrockRuntimeClient({
    endpoint: stage.url,
    region: 'us-east-1',
    token: { token: clientKey },
    authSchemePreference: ['httpBearerAuth'],
    maxAttempts: 1,
    // Its own choice is HTTP/2.
    requestHandler: new NodeHttpHandler(),
  });
});
after(async () => {
  client?.destroy();
  await stage?.close();
});

type Streamed = {
  text: string;
  thinking: string;
  signature: string;
  calls: { toolUseId: string; name: string; input: string }[];
  stopReason: string | undefined;
  usage: { inputTokens?: number | undefined; outputTokens?: number | undefined } | undefined;
};

async function streamed(input: ConverseCommandInput): Promise<Streamed> {
  const { stream } = await client.send(new ConverseStreamCommand(input));
  const read: Streamed = { text: '', thinking: '', signature: '', calls: [], stopReason: undefined, usage: undefined };
  for await (const { contentBlockStart, contentBlockDelta, messageStop, metadata } of stream!) {
    const call = contentBlockStart?.start?.toolUse;
    if (call) read.calls.push({ toolUseId: call.toolUseId!, name: call.name!, input: '' });
    const delta = contentBlockDelta?.delta;
    read.text += delta?.text ?? '';
    read.thinking += delta?.reasoningContent?.text ?? '';
    read.signature += delta?.reasoningContent?.signature ?? '';
    if (delta?.toolUse) read.calls.at(-1)!.input += delta.toolUse.input;
    read.stopReason ??= messageStop?.stopReason;
    read.usage ??= metadata?.usage;
  }
  return read;
}

const says = (text: string): ConverseCommandInput['messages'] => [{ role: 'user', content: [{ text }] }];
const textOf = (content: ContentBlock[] = []): string => content.map(block => block.text ?? '').join('');
const weather = { toolSpec: { name: 'get_weather', inputSchema: { json: weatherSchema as never } } };

for (const target of targets) describe(`AWS's client to ${target.name}`, () => suite(target));

function suite(target: Target): void {
  const { model: modelId, thinker } = target;

  test('an answer, whole and streamed, with usage', async () => {
    const ask = { modelId, messages: says('Tell me of tolls.'), system: [{ text: 'You are brief.' }] };
    const whole = await client.send(new ConverseCommand(ask));
    const { text, stopReason, usage } = await streamed(ask);
    assert.match(text, /Tell me of tolls\./);
    assert.equal(text, textOf(whole.output!.message!.content));
    assert.deepEqual([whole.stopReason, stopReason], ['end_turn', 'end_turn']);
    assert.ok(usage!.inputTokens! > 0 && usage!.outputTokens! > 0);
    assert.deepEqual([usage!.inputTokens, usage!.outputTokens], [whole.usage!.inputTokens, whole.usage!.outputTokens]);
  });

  test('a call, streamed, its result, and an answer that uses it', async () => {
    const ask = { modelId, messages: says('Use get_weather.')!, toolConfig: { tools: [weather] } };
    const { calls, stopReason } = await streamed(ask);
    assert.equal(stopReason, 'tool_use');
    const [{ toolUseId, name, input }] = calls as [Streamed['calls'][0]];
    const next = await client.send(
      new ConverseCommand({
        ...ask,
        messages: [
          ...ask.messages,
          { role: 'assistant', content: [{ toolUse: { toolUseId, name, input: JSON.parse(input) } }] },
          { role: 'user', content: [{ toolResult: { toolUseId, content: [{ text: 'sunny' }] } }] },
        ],
      }),
    );
    assert.match(textOf(next.output!.message!.content), /get_weather returned: sunny/);
  });

  test('an image, and a document where the target takes one', async () => {
    const content: ContentBlock[] = [
      { text: 'What is this?' },
      { image: { format: 'png', source: { bytes: Buffer.from(png, 'base64') } } },
      ...(target.takesDocuments
        ? [{ document: { format: 'pdf' as const, name: 'a', source: { bytes: Buffer.from(pdf, 'base64') } } }]
        : []),
    ];
    const { output } = await client.send(new ConverseCommand({ modelId, messages: [{ role: 'user', content }] }));
    assert.match(textOf(output!.message!.content), /image of type image\/png/);
    if (target.takesDocuments) assert.match(textOf(output!.message!.content), /document of type application\/pdf/);
  });

  test('thinking comes with what makes it good for the next turn', async () => {
    const ask: ConverseCommandInput = {
      modelId: thinker,
      messages: says('Think first.'),
      inferenceConfig: { maxTokens: 4000 },
      // A model of Bedrock is asked in its own words.
      additionalModelRequestFields:
        target.wire === 'bedrock'
          ? { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'low' } }
          : { thinking: { type: 'enabled', budget_tokens: 2000 } },
    };
    const { text, thinking, signature } = await streamed(ask);
    assert.match(text, /Think first\./);
    if (!target.showsThinking) return;
    assert.ok(thinking.length > 0);
    // And takes no thinking back.
    if (target.wire === 'bedrock') return;
    const reasoningText = { text: thinking, signature };
    const next = await client.send(
      new ConverseCommand({
        ...ask,
        messages: [
          ...ask.messages!,
          { role: 'assistant', content: [{ reasoningContent: { reasoningText } }, { text }] },
          ...says('Go on.')!,
        ],
      }),
    );
    assert.match(textOf(next.output!.message!.content), /Go on\./);
  });

  test('what fails is thrown by its name, in the middle of a stream too', async () => {
    const failing = (fault: string) => streamed({ modelId: faulty(target, fault), messages: says('Go on. [[tokens=40]]') });
    const named = (name: string) => (error: unknown) => {
      assert.equal((error as Error).name, name);
      return true;
    };
    await assert.rejects(failing('400'), named('ValidationException'));
    await assert.rejects(failing('429;after=0'), named('ThrottlingException'));
    for (const fault of ['cut', 'error-event']) await assert.rejects(failing(fault), /Exception|Error/, fault);
  });
}

test('a key that is none, and a model that nobody has, are what they are', async () => {
  const other = new BedrockRuntimeClient({
    endpoint: stage.url,
    region: 'us-east-1',
    token: { token: 'sk-wrong' },
    authSchemePreference: ['httpBearerAuth'],
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(),
  });
  const named = (name: string) => (error: unknown) => (error as Error).name === name;
  await assert.rejects(other.send(new ConverseCommand({ modelId: 'x', messages: says('Hi') })), named('AccessDeniedException'));
  await assert.rejects(
    client.send(new ConverseCommand({ modelId: 'x.y:0/z', messages: says('Hi') })),
    named('ResourceNotFoundException'),
  );
  await assert.rejects(client.send(new ConverseCommand({ modelId: 'x', messages: [] })), named('ValidationException'));
});

test("the AI SDK's client reads answers and streams", async () => {
  const bedrock = createAmazonBedrock({ baseURL: stage.url, apiKey: clientKey, region: 'us-east-1' });
  for (const { model } of targets) {
    const { text } = await generateText({ model: bedrock(model), prompt: 'Tell me of tolls.' });
    const stream = streamText({ model: bedrock(model), prompt: 'Tell me of tolls.' });
    let pieces = '';
    for await (const piece of stream.textStream) pieces += piece;
    assert.match(text, /Tell me of tolls\./);
    assert.equal(pieces, text);
    assert.ok((await stream.usage).outputTokens! > 0);
  }
});
