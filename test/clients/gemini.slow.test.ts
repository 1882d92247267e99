// The real client of Google, and the AI SDK with its provider for it, against every provider type.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createGoogle } from '@ai-sdk/google';
import { ApiError, type Content, FunctionCallingConfigMode, type GenerateContentResponse, GoogleGenAI } from '@google/genai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { clientKey } from '#test/support/resources.ts';
import { openStage, personSchema, png, type Stage, type Target, targets, weatherSchema } from '#test/support/stage.ts';

let stage: Stage;
before(async () => {
  stage = await openStage();
});
after(() => stage?.close());

const clientOf = (apiKey = clientKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: stage.url } });
const tools = [
  {
    functionDeclarations: [
      { name: 'get_weather', description: 'Weather of a city', parametersJsonSchema: weatherSchema },
      { name: 'get_time', description: 'The time' },
    ],
  },
];

async function collected(stream: AsyncIterable<GenerateContentResponse>) {
  const chunks: GenerateContentResponse[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const parts = chunks.flatMap(chunk => chunk.candidates?.[0]?.content?.parts ?? []);
  return { chunks, parts, text: chunks.map(chunk => chunk.text ?? '').join(''), last: chunks.at(-1)! };
}

/** The answer to the calls of a turn, in the same order. */
const resultsOf = (parts: readonly { functionCall?: { id?: string; name?: string } }[]): Content => ({
  role: 'user',
  parts: parts.flatMap(({ functionCall }) =>
    functionCall
      ? [
          {
            functionResponse: {
              ...(functionCall.id && { id: functionCall.id }),
              name: functionCall.name!,
              response: { output: 'fine' },
            },
          },
        ]
      : [],
  ),
});

test('what is not served is told in the words of this dialect', async () => {
  const asked = { model: targets[0]!.model, contents: 'Hello' };
  await assert.rejects(clientOf().models.embedContent(asked), (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 404);
    assert.match(error.message, /NOT_FOUND/);
    return true;
  });
});

for (const target of targets) describe(`@google/genai to ${target.name}`, () => suite(target));

function suite(target: Target): void {
  const { model, thinker } = target;

  test('an answer with usage', async () => {
    const config = { systemInstruction: 'You are brief.', temperature: 0.5, maxOutputTokens: 500 };
    const answer = await clientOf().models.generateContent({ model, contents: 'Tell me of tolls.', config });
    assert.match(answer.text!, /Tell me of tolls\./);
    assert.equal(answer.candidates?.[0]?.finishReason, 'STOP');
    const { promptTokenCount, candidatesTokenCount, totalTokenCount } = answer.usageMetadata!;
    assert.ok(promptTokenCount! > 0 && candidatesTokenCount! > 0);
    assert.equal(totalTokenCount, promptTokenCount! + candidatesTokenCount! + (answer.usageMetadata!.thoughtsTokenCount ?? 0));
    assert.ok(answer.responseId && answer.modelVersion);
  });

  test('streaming: the pieces are the same answer, and the last one tells how it ended and what it took', async () => {
    const { models } = clientOf();
    const whole = await models.generateContent({ model, contents: 'Count the tolls.' });
    const { text, chunks, last } = await collected(await models.generateContentStream({ model, contents: 'Count the tolls.' }));
    assert.ok(chunks.length > 3);
    assert.equal(text, whole.text);
    assert.equal(last.candidates?.[0]?.finishReason, 'STOP');
    assert.equal(last.usageMetadata?.totalTokenCount, whole.usageMetadata?.totalTokenCount);
  });

  test('functions, in parallel: whole and streamed the same, and their results are taken', async () => {
    const { models } = clientOf();
    const contents: Content[] = [{ role: 'user', parts: [{ text: 'Call get_weather and get_time.' }] }];
    const whole = await models.generateContent({ model, contents, config: { tools } });
    const { parts } = await collected(await models.generateContentStream({ model, contents, config: { tools } }));
    const calls = parts.flatMap(part => part.functionCall ?? []);
    const strip = ({ name, args }: { name?: string; args?: unknown }) => ({ name, args });
    assert.deepEqual(whole.functionCalls!.map(strip), calls.map(strip));
    const { args } = whole.functionCalls![0]!;
    assert.deepEqual(Object.keys(args as object).sort(), ['city', 'unit']);
    for (const turn of [whole.candidates![0]!.content!, { role: 'model', parts }]) {
      const next = await models.generateContent({
        model,
        contents: [...contents, turn, resultsOf(turn.parts!)],
        config: { tools },
      });
      assert.match(next.text!, /The tool get_weather returned: fine/);
    }
  });

  test('a function that must be called is', async () => {
    const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['get_time'] };
    const { functionCalls } = await clientOf().models.generateContent({
      model,
      contents: 'Hello',
      config: { tools, toolConfig: { functionCallingConfig } },
    });
    assert.deepEqual(
      functionCalls?.map(({ name }) => name),
      ['get_time'],
    );
  });

  test('an answer by a schema, or the header says that it was left out', async () => {
    const config = { responseMimeType: 'application/json', responseJsonSchema: personSchema };
    const answer = await clientOf().models.generateContent({ model, contents: 'Who?', config });
    const dropped = answer.sdkHttpResponse?.headers?.['x-tollgate-dropped'] ?? '';
    if (!dropped.includes('response_format'))
      assert.deepEqual(Object.keys(JSON.parse(answer.text!)).sort(), ['age', 'name', 'tags']);
  });

  test('an image is seen', async () => {
    const parts = [{ text: 'What is this?' }, { inlineData: { mimeType: 'image/png', data: png } }];
    const answer = await clientOf().models.generateContent({ model, contents: [{ role: 'user', parts }] });
    assert.match(answer.text!, /I see an image of type/);
  });

  test('a chat with thoughts goes on, streamed and whole', async () => {
    const config = { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } };
    const chat = clientOf().chats.create({ model: thinker, config });
    const { parts } = await collected(await chat.sendMessageStream({ message: 'Think of tolls.' }));
    if (target.showsThinking) assert.ok(parts.some(part => part.thought));
    assert.match((await chat.sendMessage({ message: 'And now?' })).text!, /And now\?/);
  });

  test('tokens of a whole request are counted, under the name that it has here', async () => {
    const countOf = async (body: object) => {
      const headers = { 'x-goog-api-key': clientKey, 'content-type': 'application/json' };
      const url = `${stage.url}/v1beta/models/${model}:countTokens`;
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: answer.status, ...((await answer.json()) as { totalTokens: number }) };
    };
    const contents = [{ role: 'user', parts: [{ text: 'How many?' }] }];
    const systemInstruction = { parts: [{ text: 'Be brief, be brief, be brief, be brief.' }] };
    const plain = await countOf({ contents });
    for (const body of [
      { generateContentRequest: { model: `models/${model}`, contents, systemInstruction } },
      { contents, systemInstruction },
    ]) {
      const whole = await countOf(body);
      assert.equal(whole.status, 200, JSON.stringify(whole));
      assert.ok(whole.totalTokens > plain.totalTokens);
    }
    const foreign = {
      text: 'hm',
      thought: true,
      thoughtSignature: Buffer.from('tollgate-signed.anthropic.x').toString('base64'),
    };
    const history = [...contents, { role: 'model', parts: [foreign, { text: 'Two.' }] }, ...contents];
    assert.ok((await countOf({ contents: history })).totalTokens > plain.totalTokens);
  });

  test('tokens are counted', async () => {
    assert.ok((await clientOf().models.countTokens({ model, contents: 'How many tokens are these?' })).totalTokens! > 3);
  });
}

describe('@google/genai and the gateway', () => {
  const model = () => targets[0]!.model;

  test('errors come as its own', async () => {
    const expectation = (code: number, status: string) => (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.status, code);
      assert.equal(JSON.parse(error.message).error.status, status);
      return true;
    };
    const { models } = clientOf();
    await assert.rejects(
      clientOf('wrong').models.generateContent({ model: model(), contents: 'Hi' }),
      expectation(401, 'UNAUTHENTICATED'),
    );
    await assert.rejects(models.generateContent({ model: 'nobody', contents: 'Hi' }), expectation(404, 'NOT_FOUND'));
    await assert.rejects(
      models.generateContent({ model: model(), contents: 'Hi', config: { maxOutputTokens: -1 } }),
      expectation(400, 'INVALID_ARGUMENT'),
    );
  });

  test('models are listed, and each is described', async () => {
    const { models } = clientOf();
    const names: string[] = [];
    for await (const { name } of await models.list()) names.push(name!);
    assert.ok(names.includes(`models/${model()}`), names.join());
    assert.equal((await models.get({ model: model() })).name, `models/${model()}`);
  });

  test('a conversation moves from every provider to every other one', async () => {
    const contents: Content[] = [{ role: 'user', parts: [{ text: 'Call get_weather and get_time.' }] }];
    for (const from of targets) {
      const asked = {
        model: from.thinker,
        contents,
        config: { tools, thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
      };
      const { parts } = await collected(await clientOf().models.generateContentStream(asked));
      for (const to of targets) {
        const history = [...contents, { role: 'model', parts }, resultsOf(parts)];
        const next = await clientOf().models.generateContent({ ...asked, model: to.thinker, contents: history });
        assert.match(next.text!, /get_weather returned/, `${from.name} to ${to.name}`);
      }
    }
  });

  const post = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${stage.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ contents: [{ parts: [{ text: 'Hello' }] }], generation_config: { max_output_tokens: 50 } }),
    });

  test('without alt=sse a stream is one JSON list; a key may be in the query, and is in no log', async () => {
    for (const { model } of targets) {
      const answer = await post(`/v1beta/models/${model}:streamGenerateContent?key=${clientKey}`);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
      const items = (await answer.json()) as GenerateContentResponse[];
      assert.ok(items.length > 2);
      assert.match(items.map(item => item.candidates?.[0]?.content?.parts?.[0]?.text ?? '').join(''), /Hello/);
    }
    assert.ok(!stage.logs().includes(clientKey));
  });

  test('a body passes through to Google byte by byte, but for our controls', async () => {
    const google = targets.find(({ wire }) => wire === 'gemini')!;
    const body =
      '{ "contents":[{"parts":[{"text":"a\\u2028b \u2028"}]}], "generation_config" : {"topK": 1.0},\n"safety_settings":[] }';
    const answer = await fetch(`${stage.url}/v1beta/models/${google.model}:generateContent`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': clientKey },
      body: body.replace('{ ', '{ "tags": ["x"],'),
    });
    assert.equal(answer.status, 200);
    const { length, [length - 1]: last } = stage.hosted.requests();
    assert.deepEqual(last!.body, JSON.parse(body));
    assert.equal(last!.bodyBytes, Buffer.byteLength(body));
  });

  test('a bearer token is a key too, and so are the paths of Vertex', async () => {
    const authorization = `Bearer ${clientKey}`;
    assert.equal((await post(`/v1/models/${model()}:generateContent`, { authorization })).status, 200);
    const vertex = `/v1beta1/projects/any/locations/global/publishers/google/models/${model()}:generateContent`;
    assert.equal((await post(vertex, { authorization })).status, 200);
  });

  test('a field that is spelled twice is refused', async () => {
    const body = { contents: [{ parts: [{ text: 'Hi' }] }], generationConfig: {}, generation_config: { maxOutputTokens: 1 } };
    const answer = await fetch(`${stage.url}/v1beta/models/${model()}:generateContent`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': clientKey },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /generationConfig must be given once/);
  });
});

for (const target of targets)
  describe(`ai with @ai-sdk/google to ${target.name}`, () => {
    const modelOf = (name: string) => createGoogle({ baseURL: `${stage.url}/v1beta`, apiKey: clientKey })(name);

    test('text, streamed', async () => {
      const { textStream } = streamText({ model: modelOf(target.model), prompt: 'Tell me of tolls.' });
      let text = '';
      for await (const piece of textStream) text += piece;
      assert.match(text, /Tell me of tolls\./);
    });

    test('a tool loop', async () => {
      const { text, steps } = await generateText({
        model: modelOf(target.model),
        prompt: 'Call get_weather.',
        tools: { get_weather: tool({ inputSchema: jsonSchema(weatherSchema), execute: async () => 'fine' }) },
        stopWhen: stepCountIs(3),
      });
      assert.equal(steps.length, 2);
      assert.match(text, /The tool get_weather returned/);
    });
  });
