// The Gemini wire, seen by the real `@google/genai` client.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { ApiError, type Content, FunctionCallingConfigMode, type GenerateContentResponse, GoogleGenAI } from '@google/genai';
import { startSimulator } from '../index.ts';

const simulator = await startSimulator({ keys: ['right'] });
after(() => simulator.close());
const clientOf = (apiKey: string) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: simulator.origin } });
const { models, chats } = clientOf('right');
const model = 'gemini-3.8-flash';
const weather = {
  name: 'get_weather',
  description: 'The weather',
  parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const tools = [{ functionDeclarations: [weather, { name: 'get_time', description: '' }] }];

const streamed = async (chunks: AsyncIterable<GenerateContentResponse>) => {
  const all: GenerateContentResponse[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return { text: all.map(chunk => chunk.text ?? '').join(''), last: all.at(-1)! };
};

const refusal = (code: number, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, code);
  assert.match(error.message, message);
  return true;
};

test('a stream folds to the answer that is given whole, with the same usage', async () => {
  const whole = await models.generateContent({ model, contents: 'Hello, how are you?' });
  const stream = await streamed(await models.generateContentStream({ model, contents: 'Hello, how are you?' }));
  assert.match(whole.text!, /Hello, how are you\?/);
  assert.equal(stream.text, whole.text);
  assert.deepEqual(stream.last.usageMetadata, whole.usageMetadata);
  assert.equal(stream.last.candidates?.[0]?.finishReason, 'STOP');
});

test('a chat keeps its history of chunks, and goes on with it', async () => {
  const chat = chats.create({ model });
  await streamed(await chat.sendMessageStream({ message: 'Hello' }));
  const second = await chat.sendMessage({ message: 'And now?' });
  assert.match(second.text!, /And now\?/);
});

test('tokens are counted', async () => {
  assert.ok((await models.countTokens({ model, contents: 'Hello' })).totalTokens! > 0);
});

test('a wrong key and an unknown field are refused in its words', async () => {
  await assert.rejects(clientOf('wrong').models.generateContent({ model, contents: 'Hi' }), refusal(400, /API key not valid/));
  const answer = await fetch(`${simulator.origin}/v1beta/models/${model}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'right' },
    body: JSON.stringify({ contents: [{ parts: [{ text: 'Hi' }] }], generation_config: { top_z: 1 } }),
  });
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /Unknown name \\"topZ\\" at 'generation_config': Cannot find field/);
});

describe('functions', () => {
  const question: Content = { role: 'user', parts: [{ text: 'get_weather and get_time please' }] };
  const answerTo = async () => {
    const { candidates } = await models.generateContent({ model, contents: [question], config: { tools } });
    return candidates![0]!.content!;
  };
  const resultsOf = (content: Content): Content => ({
    role: 'user',
    parts: content.parts!.map(({ functionCall: { id, name } = {} }) => ({
      functionResponse: { ...(id && { id }), name: name!, response: { output: 'fine' } },
    })),
  });

  test('are called together, the first one signed, and their results told', async () => {
    const called = await answerTo();
    assert.deepEqual(
      called.parts!.map(part => part.functionCall?.name),
      ['get_weather', 'get_time'],
    );
    assert.deepEqual(
      called.parts!.map(part => part.thoughtSignature !== undefined),
      [true, false],
    );
    const { text } = await models.generateContent({ model, contents: [question, called, resultsOf(called)], config: { tools } });
    assert.match(text!, /The tool get_weather returned: fine/);
  });

  test('need their signatures back, unless something stands for them', async () => {
    const called = await answerTo();
    const next = (thoughtSignature: string | undefined, of = model) => {
      const [first, ...rest] = called.parts!;
      const { thoughtSignature: _own, ...bare } = first!;
      const parts = [{ ...bare, ...(thoughtSignature && { thoughtSignature }) }, ...rest];
      const contents = [question, { role: 'model', parts }, resultsOf(called)];
      return models.generateContent({ model: of, contents, config: { tools } });
    };
    await assert.rejects(next(undefined), refusal(400, /missing a thought_signature/));
    await assert.rejects(next('Zm9yZWlnbg=='), refusal(400, /Corrupted thought signature/));
    assert.ok((await next('skip_thought_signature_validator')).text);
    assert.ok((await next(undefined, 'gemini-2.5-flash')).text);
  });

  test('are answered all at once, right after the call', async () => {
    const called = await answerTo();
    const { parts } = resultsOf(called);
    await assert.rejects(
      models.generateContent({
        model,
        contents: [question, called, { role: 'user', parts: parts!.slice(1) }],
        config: { tools },
      }),
      refusal(400, /number of function response parts/),
    );
    await assert.rejects(
      models.generateContent({ model, contents: [question, { role: 'user', parts: parts! }], config: { tools } }),
      refusal(400, /immediately after a function call turn/),
    );
  });

  test('are forced by their mode', async () => {
    const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['get_time'] };
    const config = { tools, toolConfig: { functionCallingConfig } };
    const { functionCalls } = await models.generateContent({ model, contents: 'Hi', config });
    assert.deepEqual(
      functionCalls?.map(({ name }) => name),
      ['get_time'],
    );
  });
});

test('what a model cannot do is refused', async () => {
  const old = 'gemini-2.5-flash';
  const json = { responseMimeType: 'application/json' };
  await assert.rejects(
    models.generateContent({ model: old, contents: 'Hi', config: { tools, ...json } }),
    refusal(400, /unsupported/),
  );
  await assert.rejects(
    models.generateContent({ model, contents: 'Hi', config: { thinkingConfig: { thinkingBudget: 0 } } }),
    refusal(400, /only works in thinking mode/),
  );
});

test('a filtered prompt has no candidates', async () => {
  const answer = await models.generateContent({ model: `${model}!content-filter`, contents: 'Hi' });
  assert.equal(answer.promptFeedback?.blockReason, 'PROHIBITED_CONTENT');
  assert.equal(answer.candidates, undefined);
});

test("Vertex takes a token and no ids; Anthropic's models are there in their own dialect", async () => {
  const folder = `${simulator.origin}/v1/projects/p/locations/global/publishers`;
  const post = (path: string, body: unknown) =>
    fetch(`${folder}${path}`, { method: 'POST', headers: { authorization: 'Bearer right' }, body: JSON.stringify(body) });
  const contents = (id: object) => [
    { role: 'user', parts: [{ text: 'Hi' }] },
    {
      role: 'model',
      parts: [{ functionCall: { ...id, name: 'f', args: {} }, thoughtSignature: 'skip_thought_signature_validator' }],
    },
    { role: 'user', parts: [{ functionResponse: { ...id, name: 'f', response: { output: 'x' } } }] },
  ];
  assert.equal((await post(`/google/models/${model}:generateContent`, { contents: contents({}) })).status, 200);
  assert.equal((await post(`/google/models/${model}:generateContent`, { contents: contents({ id: 'a' }) })).status, 400);
  const question = { max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
  const version = { anthropic_version: 'vertex-2023-10-16' };
  const claude = '/anthropic/models/claude-opus-5:rawPredict';
  assert.equal((await post(claude, { ...version, ...question })).status, 200);
  assert.equal((await post(claude, question)).status, 400);
  assert.equal((await post(claude, { ...version, ...question, model: 'claude-opus-5' })).status, 400);
});
