import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import { signatureOf, signedBy } from '#core/chat/foreign.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { type Failure, failure, type Parsed } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import { valueIn } from '#test/support/parsed.ts';
import { messagesOf } from '../../http/sse.ts';
import { askedOf, gemini, geminiCount, jsonList } from './index.ts';
import { STAND_IN, unwrapped, wrapped, wrappedRedacted } from './signatures.ts';

// biome-ignore lint/suspicious/noExplicitAny: looked at field by field
type Json = any;

function failureIn(parsed: Parsed<unknown>): Failure {
  assert.ok(!parsed.ok);
  return parsed.failure;
}

const frontend = gemini({ model: 'm', stream: false });
const viewOf = (body: Json) =>
  valueIn(scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 128, interpreted: new Set(), isUtf8 }));
const hello = [{ parts: [{ text: 'Hello' }] }];
const decoded = (body: Json) => valueIn(frontend.decode(viewOf({ contents: hello, ...body })));

describe('a path', () => {
  test('says model and method', () => {
    const asked = { model: 'gemini-x', method: 'generateContent' };
    for (const path of [
      '/v1beta/models/gemini-x:generateContent',
      '/v1/models/gemini-x:generateContent',
      '/v1beta1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent',
    ])
      assert.deepEqual(askedOf(path), asked, path);
    assert.deepEqual(askedOf('/v1beta/models/provider%2Fa%3Ab:countTokens'), { model: 'provider/a:b', method: 'countTokens' });
    assert.deepEqual(askedOf('/v1beta/models/provider/a:b:countTokens'), { model: 'provider/a:b', method: 'countTokens' });
    for (const path of [
      '/v1beta/models',
      '/v1beta/models/x',
      '/v1beta/models/x:predict',
      '/v2/models/x:countTokens',
      '/v1beta/models/%:countTokens',
    ])
      assert.equal(askedOf(path), undefined, path);
  });
});

describe('a request', () => {
  test('is read in both spellings', () => {
    const body = {
      system_instruction: { parts: [{ text: 'Be brief.' }] },
      contents: [{ role: 'user', parts: [{ inline_data: { mime_type: 'image/png', data: 'AA==' } }] }],
      generation_config: { max_output_tokens: 5, stop_sequences: ['x'], thinking_config: { thinking_budget: 0 } },
      tool_config: { function_calling_config: { mode: 'any', allowed_function_names: ['f'] } },
      tools: [{ function_declarations: [{ name: 'f' }, { name: 'g' }] }],
    };
    const request = decoded(body);
    assert.deepEqual(request.messages, [
      { role: 'system', content: [{ kind: 'text', text: 'Be brief.' }] },
      { role: 'user', content: [{ kind: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AA==' } }] },
    ]);
    assert.deepEqual([request.maxOutputTokens, request.stop, request.thinking], [5, ['x'], { kind: 'disabled' }]);
    assert.deepEqual([request.tools.map(({ name }) => name), request.toolChoice], [['f'], { kind: 'tool', name: 'f' }]);
    assert.deepEqual(request.extra, {});
    assert.equal(frontend.fields.outputLimit(viewOf(body)), 5);
  });

  test('names what only Google knows, by its place', () => {
    const { extra } = decoded({
      contents: [{ parts: [{ text: 'See' }, { fileData: { mimeType: 'video/mp4', fileUri: 'gs://b/v.mp4' } }] }],
      tools: [{ googleSearch: {} }],
      toolConfig: { retrievalConfig: { languageCode: 'de' } },
      safetySettings: [{ category: 'X', threshold: 'Y' }],
      generationConfig: { responseModalities: ['TEXT'], mediaResolution: 'LOW' },
    });
    assert.deepEqual(Object.keys(extra).sort(), [
      'contents[0].parts[1]',
      'generationConfig.mediaResolution',
      'safetySettings',
      'toolConfig.retrievalConfig',
      'tools[0].googleSearch',
    ]);
  });

  test("makes JSON Schema of Google's own", () => {
    const parameters = {
      type: 'OBJECT',
      properties: { n: { type: 'INTEGER', nullable: true }, list: { type: 'ARRAY', maxItems: '3', items: { type: 'STRING' } } },
      required: ['n'],
      propertyOrdering: ['n', 'list'],
    };
    assert.deepEqual(decoded({ tools: [{ functionDeclarations: [{ name: 'f', parameters }] }] }).tools[0]!.parameters, {
      type: 'object',
      properties: { n: { type: ['integer', 'null'] }, list: { type: 'array', maxItems: 3, items: { type: 'string' } } },
      required: ['n'],
    });
  });

  test("keeps what Google's own schemas say beyond types", () => {
    const parameters = {
      type: 'OBJECT',
      properties: {
        kind: { type: 'STRING', format: 'enum', enum: ['a'], nullable: true },
        either: { any_of: [{ type: 'STRING' }, { ref: '#/$defs/n' }], nullable: true },
        any: { type: 'TYPE_UNSPECIFIED', description: 'd' },
      },
      additionalProperties: { type: 'NUMBER' },
      defs: { n: { type: 'ARRAY', prefixItems: [{ type: 'BOOLEAN' }] } },
    };
    assert.deepEqual(decoded({ tools: [{ functionDeclarations: [{ name: 'f', parameters }] }] }).tools[0]!.parameters, {
      type: 'object',
      properties: {
        kind: { type: ['string', 'null'], format: 'enum', enum: ['a', null] },
        either: { anyOf: [{ type: 'string' }, { $ref: '#/$defs/n' }, { type: 'null' }] },
        any: { description: 'd' },
      },
      additionalProperties: { type: 'number' },
      $defs: { n: { type: 'array', prefixItems: [{ type: 'boolean' }] } },
    });
  });

  test('names every setting that has no neutral form, wherever it stands', () => {
    const { extra, thinking } = decoded({
      contents: [
        { parts: [{ inlineData: { mimeType: 'image/png', data: 'AA==' }, mediaResolution: { level: 'LOW' } }] },
        { role: 'model', parts: [{ functionCall: { name: 'f' } }] },
        { parts: [{ functionResponse: { id: 'own', name: 'f', response: {}, willContinue: true } }] },
      ],
      tools: [{ functionDeclarations: [{ name: 'f', behavior: 'NON_BLOCKING', response: { type: 'STRING' } }] }],
      toolConfig: { functionCallingConfig: { mode: 'AUTO', streamFunctionCallArguments: true } },
      generationConfig: { thinkingConfig: { thinkingLevel: 'THINKING_LEVEL_UNSPECIFIED', includeThoughts: true } },
    });
    assert.deepEqual(thinking, { kind: 'adaptive' });
    assert.deepEqual(Object.keys(extra).sort(), [
      'contents[0].parts[0].mediaResolution',
      'contents[2].parts[0].functionResponse.willContinue',
      'toolConfig.functionCallingConfig.streamFunctionCallArguments',
      'tools[0].functionDeclarations[0].behavior',
      'tools[0].functionDeclarations[0].response',
    ]);
  });

  test('joins a turn of chunks, and matches results to calls without ids by name and order', () => {
    const { messages } = decoded({
      contents: [
        ...hello,
        { role: 'model', parts: [{ text: 'h', thought: true }] },
        {
          role: 'model',
          parts: [
            { text: 'm', thought: true },
            { text: '', thought: true, thoughtSignature: wrapped('EqQB') },
          ],
        },
        { role: 'model', parts: [{ functionCall: { name: 'f', args: { a: 1 } } }, { functionCall: { name: 'f' } }] },
        { role: 'user', parts: [1, 2].map(n => ({ functionResponse: { name: 'f', response: { result: n } } })) },
      ],
    });
    const [, turn, first, second] = messages as Json;
    assert.deepEqual(turn.content[0], { kind: 'thinking', text: 'hm', signature: 'EqQB' });
    const ids = turn.content.slice(1).map((part: Json) => part.id);
    assert.equal(new Set(ids).size, 2);
    assert.deepEqual([first.callId, second.callId], ids);
    assert.deepEqual(first.content, [{ kind: 'text', text: '1' }]);
  });

  test('that is wrong is refused with the place', () => {
    const refused: readonly (readonly [Json, string])[] = [
      [{ contents: 'Hi' }, 'contents'],
      [{ contents: [] }, 'contents'],
      [{ contents: [{ role: 'assistant', parts: [] }] }, 'contents[0].role'],
      [{ contents: [{ parts: 'Hi' }] }, 'contents[0].parts'],
      [{ contents: [{ parts: [{ functionResponse: { name: 'f', response: {} } }] }] }, 'contents[0].parts[0].functionResponse'],
      [{ contents: hello, generationConfig: { temperature: 'hot' } }, 'generationConfig.temperature'],
      [
        { contents: hello, generationConfig: { thinkingConfig: { thinkingLevel: 'UTTER' } } },
        'generationConfig.thinkingConfig.thinkingLevel',
      ],
      [{ contents: hello, tools: [{ functionDeclarations: [{}] }] }, 'tools[0].functionDeclarations[0].name'],
    ];
    for (const [body, param] of refused) assert.equal(failureIn(frontend.decode(viewOf(body))).param, param);
    for (const body of [{ systemInstruction: {}, system_instruction: {} }, { generationConfig: { topK: 1, top_k: 2 } }])
      assert.equal(failureIn(frontend.inspect(viewOf({ contents: hello, ...body }))).class, 'invalid_request');
  });

  test('loses our controls on its way to Google', () => {
    const body = { contents: hello, user: 'u', metadata: { team: 't' }, tags: ['x'], num_retries: 1 };
    const { edits, controls } = valueIn(frontend.inspect(viewOf(body)));
    assert.deepEqual([...edits.keys()].sort(), ['metadata', 'num_retries', 'tags', 'user']);
    assert.deepEqual([controls.user, controls.tags], ['u', ['x']]);
  });

  test('tells what the model reads besides the body', () => {
    const reads = (body: Json) => valueIn(frontend.inspect(viewOf({ contents: hello, ...body }))).readsMore === true;
    const file = [{ parts: [{ fileData: { mimeType: 'video/mp4', fileUri: 'gs://b/v' } }] }];
    for (const body of [
      { cachedContent: 'cachedContents/x' },
      { cached_content: 'x' },
      { tools: [{ urlContext: {} }] },
      { contents: file },
    ])
      assert.ok(reads(body), JSON.stringify(body));
    for (const body of [{}, { tools: [{ functionDeclarations: [{ name: 'f' }] }] }, { tools: [] }]) assert.ok(!reads(body));
    const hidden = Buffer.from(JSON.stringify({ contents: file }).replace('fileData', '\\u0066ileData'));
    const view = valueIn(scanObject(hidden, { maxDepth: 128, interpreted: new Set(), isUtf8 }));
    assert.equal(valueIn(frontend.inspect(view)).readsMore, true);
  });

  test('for a count may stand in a field of its own', () => {
    const count = geminiCount({ model: 'm', stream: false });
    const view = viewOf({ generateContentRequest: { model: 'models/m', contents: hello } });
    valueIn(count.inspect(view));
    assert.equal(valueIn(count.decode(view)).messages.length, 1);
  });
});

describe('signatures', () => {
  test('of others are wrapped so that they come back, and are no base64 of Google', () => {
    for (const signature of ['EqQB+/=', signedBy('openai', 'gAAA')]) {
      assert.match(wrapped(signature), /^[A-Za-z0-9+/]+=*$/);
      assert.deepEqual(unwrapped(wrapped(signature)), { kind: 'signed', signature });
    }
    assert.deepEqual(unwrapped(wrappedRedacted('sealed')), { kind: 'redacted', data: 'sealed' });
    for (const own of ['EpEg', '', STAND_IN]) assert.equal(unwrapped(own), undefined);
  });
});

describe('a stream', () => {
  const context = { requestId: 'r', createdSeconds: 0, includeUsage: true };
  const written = (...events: ChatEvent[]) => {
    const encoder = frontend.streamEncoder(context);
    return events.map(event => encoder.push(event)).join('');
  };
  const start: ChatEvent = { kind: 'start', id: 'x', model: 'm' };
  const said: ChatEvent[] = [start, { kind: 'text-start' }, { kind: 'text-delta', text: 'a\u2028b' }];
  const finished: ChatEvent[] = [{ kind: 'part-end' }, { kind: 'finish', finish: { reason: 'stop' } }, { kind: 'end' }];

  test('shows a call whole, and signed by whom it was', () => {
    const frames = messagesOf(
      Buffer.from(
        written(
          start,
          { kind: 'thinking-start' },
          { kind: 'thinking-signature', signature: signedBy('google', 'EpEg') },
          { kind: 'part-end' },
          ...['f', 'g'].flatMap((name): ChatEvent[] => [
            { kind: 'tool-call-start', id: name, name },
            { kind: 'tool-call-delta', json: '{"a"' },
            { kind: 'tool-call-delta', json: ':1}' },
            { kind: 'part-end' },
          ]),
          { kind: 'finish', finish: { reason: 'tool-calls' } },
          { kind: 'end' },
        ),
      ),
    ).map(({ data }) => JSON.parse(data).candidates[0]);
    assert.deepEqual(
      frames.flatMap(({ content }: Json) => content.parts),
      [
        { functionCall: { id: 'f', name: 'f', args: { a: 1 } }, thoughtSignature: 'EpEg' },
        { functionCall: { id: 'g', name: 'g', args: { a: 1 } } },
        { text: '' },
      ],
    );
    assert.equal(frames.at(-1).finishReason, 'STOP');
    assert.equal(signatureOf('google', signedBy('google', 'EpEg')), 'EpEg');
  });

  test('as a list is whole when it is over, and no list when it is cut', () => {
    const whole = jsonList(messagesOf);
    const items = JSON.parse(whole.heartbeat + whole.frames(written(...said)) + whole.heartbeat + whole.frames('') + whole.end());
    assert.equal(items[0].candidates[0].content.parts[0].text, 'a\u2028b');
    const ended = jsonList(messagesOf);
    assert.equal(JSON.parse(ended.frames(Buffer.from(written(...said, ...finished))) + ended.end()).length, 2);
    const cut = jsonList(messagesOf);
    const broken = `${cut.frames(written(...said))}${cut.frames(frontend.encodeStreamError(failure('upstream_reset'), 'r'))}`;
    assert.throws(() => JSON.parse(broken));
    assert.match(broken, /"reason":"upstream_reset"/);
    assert.equal(jsonList(messagesOf).end(), '[]');
  });
});

test("an error is Google's envelope, and says when to come back", () => {
  const reason = failure('rate_limit_exceeded', { retryAfter: 1500 as never });
  const { error } = JSON.parse(frontend.encodeError(reason, 'r'));
  assert.deepEqual([error.code, error.status], [429, 'RESOURCE_EXHAUSTED']);
  assert.equal(error.details[0].reason, 'rate_limit_exceeded');
  assert.equal(error.details[1].retryDelay, '2s');
});
