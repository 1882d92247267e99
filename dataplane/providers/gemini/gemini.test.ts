import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { signatureOf, signedBy } from '#core/chat/foreign.ts';
import type { ChatRequest, ThinkingRequest } from '#core/chat/request.ts';
import { aRequest } from '#core/chat/testing.ts';
import { epochMillis, tokens } from '#core/units.ts';
import { valueIn } from '#test/support/parsed.ts';
import { address } from './address.ts';
import { FOREIGN_SIGNATURE } from './clean-history.ts';
import { NO_SIGNATURE } from './encode-contents.ts';
import { generateContent } from './index.ts';
import { PartialArgs } from './partial-args.ts';
import { targetOf, VERTEX } from './testing.ts';

// biome-ignore lint/suspicious/noExplicitAny: looked at field by field
type Json = any;
const encoded = (
  request: Partial<ChatRequest>,
  choice: Parameters<typeof targetOf>[0] = {},
): { body: Json; dropped: readonly string[] } => valueIn(generateContent.encode(aRequest(request), targetOf(choice)));

describe('an address', () => {
  const pathOf = (choice: Parameters<typeof targetOf>[0], stream = false, action: 'generate' | 'count-tokens' = 'generate') =>
    address(targetOf(choice), { stream, action }).path;

  test('has model and method, and asks for SSE', () => {
    assert.equal(pathOf({}), '/v1beta/models/gemini-3.8-flash:generateContent');
    assert.equal(pathOf({}, true), '/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse');
    assert.equal(pathOf({}, false, 'count-tokens'), '/v1beta/models/gemini-3.8-flash:countTokens');
    assert.equal(pathOf({ upstreamName: 'tunedModels/mine' }), '/v1beta/tunedModels/mine:generateContent');
    assert.equal(pathOf({ upstreamName: 'a b?c' }), '/v1beta/models/a%20b%3Fc:generateContent');
  });

  test('on Vertex has project, location and publisher', () => {
    const folder = '/v1beta1/projects/p/locations/eu';
    assert.equal(pathOf({ vertex: VERTEX }), `${folder}/publishers/google/models/gemini-3.8-flash:generateContent`);
    assert.equal(pathOf({ vertex: VERTEX, upstreamName: 'endpoints/12' }), `${folder}/endpoints/12:generateContent`);
  });

  test('carries the key in its own header', () => {
    const { headers } = address(targetOf({ credential: 'k' }), { stream: false, action: 'generate' });
    assert.equal(headers['x-goog-api-key'], 'k');
  });
});

describe('thinking', () => {
  const asked: readonly (readonly [string, ThinkingRequest, unknown])[] = [
    ['gemini-3.8-flash', { kind: 'disabled' }, { thinkingLevel: 'LOW' }],
    ['gemini-3.5-flash', { kind: 'disabled' }, { thinkingLevel: 'MINIMAL' }],
    ['gemini-3.8-flash', { kind: 'effort', effort: 'max' }, { thinkingLevel: 'HIGH', includeThoughts: true }],
    ['gemini-3.8-flash', { kind: 'budget', tokens: tokens(4000) }, { thinkingLevel: 'MEDIUM', includeThoughts: true }],
    ['gemini-3.8-flash', { kind: 'adaptive' }, { includeThoughts: true }],
    ['gemini-2.5-flash', { kind: 'disabled' }, { thinkingBudget: 0 }],
    ['gemini-2.5-pro', { kind: 'disabled' }, { thinkingBudget: 128 }],
    ['gemini-2.5-pro', { kind: 'budget', tokens: tokens(100_000) }, { thinkingBudget: 32_768, includeThoughts: true }],
    ['gemini-2.5-flash', { kind: 'effort', effort: 'low' }, { thinkingBudget: 2048, includeThoughts: true }],
    ['gemini-2.5-flash', { kind: 'adaptive' }, { thinkingBudget: -1, includeThoughts: true }],
    ['gemini-2.0-flash', { kind: 'disabled' }, undefined],
  ];
  for (const [upstreamName, thinking, config] of asked)
    test(`${JSON.stringify(thinking)} is said to ${upstreamName} in its way`, () => {
      const { body, dropped } = encoded({ thinking }, { upstreamName });
      assert.deepEqual(body.generationConfig?.thinkingConfig, config);
      assert.deepEqual(dropped, []);
    });

  test('is named where a model has none', () => {
    assert.deepEqual(encoded({ thinking: { kind: 'effort', effort: 'low' } }, { upstreamName: 'gemini-2.0-flash' }).dropped, [
      'thinking',
    ]);
  });
});

describe('signatures', () => {
  const history = (signature: string): ChatRequest['messages'] => [
    { role: 'user', content: [{ kind: 'text', text: 'Hi' }] },
    {
      role: 'assistant',
      content: [
        { kind: 'thinking', text: 'hm', signature },
        { kind: 'tool-call', id: 'a', name: 'f', arguments: '{"x":1}' },
        { kind: 'tool-call', id: 'b', name: 'g', arguments: '' },
      ],
    },
    { role: 'tool', callId: 'a', content: [{ kind: 'text', text: '1' }] },
    { role: 'tool', callId: 'b', content: [{ kind: 'text', text: 'no' }], isError: true },
  ];
  const partsOf = (signature: string, upstreamName: string) =>
    encoded({ messages: history(signature) }, { upstreamName }).body.contents[1].parts;

  test('of Google go back on the call they were on', () => {
    assert.deepEqual(partsOf(signedBy('google', 'EpEg'), 'gemini-3.8-flash'), [
      { functionCall: { id: 'a', name: 'f', args: { x: 1 } }, thoughtSignature: 'EpEg' },
      { functionCall: { id: 'b', name: 'g', args: {} } },
    ]);
  });

  test('of others stay behind, and what stands for one is where one is demanded', () => {
    assert.equal(partsOf('EqQB', 'gemini-3.8-flash')[0].thoughtSignature, NO_SIGNATURE);
    assert.equal(partsOf('EqQB', 'gemini-2.5-flash')[0].thoughtSignature, undefined);
  });

  test('results go together, under the names of their calls', () => {
    assert.deepEqual(encoded({ messages: history('x') }).body.contents[2].parts, [
      { functionResponse: { id: 'a', name: 'f', response: { output: '1' } } },
      { functionResponse: { id: 'b', name: 'g', response: { error: 'no' } } },
    ]);
    const onVertex = encoded({ messages: history('x') }, { vertex: VERTEX }).body.contents;
    assert.ok(!JSON.stringify(onVertex).includes('"id"'));
  });

  test('a result without a call is refused with its place', () => {
    const messages: ChatRequest['messages'] = [{ role: 'tool', callId: 'z', content: [{ kind: 'text', text: '1' }] }];
    const refused = generateContent.encode(aRequest({ messages }), targetOf());
    assert.deepEqual(
      [refused.ok, !refused.ok && refused.failure.class, !refused.ok && refused.failure.param],
      [false, 'invalid_request', 'messages[0]'],
    );
  });

  test('of others are taken out of a body of the same dialect, and nothing else is', () => {
    const foreign = `${FOREIGN_SIGNATURE}LmFudGhyb3BpYy5FcVFC`;
    const contents = [
      { parts: [{ text: 'Hi' }], future: 1 },
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true, thoughtSignature: foreign },
          { functionCall: { name: 'f', args: {} }, thoughtSignature: foreign },
        ],
      },
      { role: 'model', parts: [{ text: 'hm', thought: true, thoughtSignature: foreign }] },
    ];
    const body = { contents, safetySettings: [] };
    assert.ok(generateContent.isForeign(Buffer.from(JSON.stringify(body))));
    assert.ok(!generateContent.isForeign(Buffer.from('{"contents":[{"parts":[{"thoughtSignature":"EpEg"}]}]}')));
    const cleaned = encoded({ dialect: 'gemini', body });
    assert.deepEqual(cleaned.body, {
      safetySettings: [],
      contents: [
        contents[0],
        { role: 'model', parts: [{ functionCall: { name: 'f', args: {} }, thoughtSignature: NO_SIGNATURE }] },
      ],
    });
  });
});

describe('a schema', () => {
  test('says by a list what Google has no `const` for, and names and values of the client stay', () => {
    const schema = {
      type: 'object',
      properties: { const: { const: 1 }, kind: { anyOf: [{ const: 'a' }] } },
      default: { const: 2 },
    };
    const { body } = encoded({ output: { kind: 'json-schema', name: 'r', schema } });
    assert.deepEqual(body.generationConfig.responseJsonSchema, {
      type: 'object',
      properties: { const: { enum: [1] }, kind: { anyOf: [{ enum: ['a'] }] } },
      default: { const: 2 },
    });
    assert.equal(body.generationConfig.responseMimeType, 'application/json');
  });
});

describe('the arguments of a function', () => {
  const sent = (parameters: Json) => {
    const { body } = encoded({ tools: [{ name: 'f', parameters }] });
    return body.tools[0].functionDeclarations[0].parametersJsonSchema;
  };

  test('have no schema where there are none, and theirs where any are taken', () => {
    for (const none of [{ type: 'object' }, { type: 'object', properties: {}, required: [], additionalProperties: false }])
      assert.equal(sent(none), undefined);
    for (const some of [
      { type: 'object', additionalProperties: { type: 'string' } },
      { type: 'object', properties: {}, anyOf: [{ required: ['a'] }] },
      { $ref: '#/$defs/a', $defs: { a: { type: 'object' } } },
    ])
      assert.deepEqual(sent(some), some);
  });

  test('refer to a schema in the only way that Google takes', () => {
    const properties = { $ref: { type: 'string' }, a: { $ref: '#/$defs/a', description: 'd' } };
    const $defs = { a: { type: 'string', title: 'A' } };
    const b = { $ref: '#/$defs/a', title: 'B', description: 'd' };
    assert.deepEqual(sent({ type: 'object', $defs, properties: { ...properties, b } }), {
      type: 'object',
      $defs,
      properties: { ...properties, b: { title: 'B', description: 'd', anyOf: [{ $ref: '#/$defs/a' }] } },
    });
  });

  test('of a schema that refers to itself are sent', () => {
    const tree = { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] };
    assert.deepEqual(sent(tree), tree);
  });
});

describe('an answer', () => {
  const about = { modelVersion: 'gemini-x', responseId: 'r1' };
  const reply = (candidate: Json, rest: Json = {}) => ({ candidates: [candidate], ...about, ...rest });
  const stream = (...answers: Json[]) => {
    const decoder = generateContent.streamDecoder();
    const events = answers.flatMap(answer => decoder.push({ event: '', data: JSON.stringify(answer) }));
    return { ...fold([...events, ...decoder.close()]), leftOut: decoder.leftOut?.() };
  };

  test('counts each class of tokens once', () => {
    const usageMetadata = {
      promptTokenCount: 100,
      cachedContentTokenCount: 40,
      toolUsePromptTokenCount: 7,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
      totalTokenCount: 157,
      promptTokensDetails: [
        { modality: 'AUDIO', tokenCount: 25 },
        { modality: 'TEXT', tokenCount: 75 },
      ],
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 5 }],
    };
    const { usage } = valueIn(
      generateContent.decodeReply(reply({ content: { parts: [{ text: 'a' }] }, finishReason: 'STOP' }, { usageMetadata })),
    );
    const { inputUncached, cacheRead, output, reasoning, audioInput } = usage!;
    assert.deepEqual([inputUncached, cacheRead, output, reasoning, audioInput], [67, 40, 50, 30, 20]);
  });

  test('counts pictures apart from words, as they have a price of their own', () => {
    const candidatesTokensDetails = [
      { modality: 'IMAGE', tokenCount: 1290 },
      { modality: 'TEXT', tokenCount: 10 },
    ];
    const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 1300, candidatesTokensDetails };
    const { usage } = valueIn(generateContent.inspectReply(reply({ finishReason: 'STOP' }, { usageMetadata })));
    assert.deepEqual([usage?.output, usage?.audioOutput], [1300, 1290]);
  });

  test('that is broken is no answer, and what it took is known', () => {
    const candidate = { finishReason: 'MALFORMED_FUNCTION_CALL', index: 0 };
    const body = reply(candidate, { usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 3 } });
    const facts = valueIn(generateContent.inspectReply(body));
    assert.deepEqual([facts.empty, facts.usage?.output], [true, 3]);
    const { failure, reply: folded } = stream(body);
    assert.deepEqual([failure?.class, folded.usage?.output], ['upstream_bad_response', 3]);
  });

  test('that breaks after it has begun does not end as if it were whole', () => {
    for (const finishReason of ['MALFORMED_FUNCTION_CALL', 'MISSING_THOUGHT_SIGNATURE']) {
      const half = reply({ content: { parts: [{ text: 'I shall call' }] }, finishReason });
      assert.equal(stream(half).failure?.class, 'upstream_bad_response');
      assert.equal(generateContent.decodeReply(half).ok, false);
      assert.equal(valueIn(generateContent.inspectReply(half)).empty, true);
    }
    const brokenArguments = {
      functionCall: { name: 'f', willContinue: true, partialArgs: [{ jsonPath: '$[', numberValue: 1 }] },
    };
    const { failure } = stream(reply({ content: { parts: [brokenArguments] } }), reply({ finishReason: 'STOP' }));
    assert.equal(failure?.class, 'upstream_bad_response');
  });

  test('that goes on after a reason to end is read to its end', () => {
    const usage = (candidatesTokenCount: number) => ({ usageMetadata: { promptTokenCount: 1, candidatesTokenCount } });
    const ends = { finishReason: 'STOP' };
    const { reply: whole, complete } = stream(
      reply({ ...ends, content: { parts: [] } }, usage(0)),
      reply({ ...ends, content: { parts: [{ text: 'all ' }] } }, usage(1)),
      reply({ ...ends, content: { parts: [{ text: 'of it' }] } }, usage(2)),
    );
    const text = whole.parts.map(part => (part.kind === 'text' ? part.text : '')).join('');
    assert.deepEqual([text, whole.usage?.output, complete], ['all of it', 2, true]);
    const cut = stream(reply({ ...ends, content: { parts: [] } }), reply({ content: { parts: [{ text: 'half' }] } }));
    assert.equal(cut.failure?.class, 'upstream_stream_truncated');
  });

  test('may have a signature in a part of its own', () => {
    const parts = [{ text: 'hm', thought: true }, { thoughtSignature: 'EpEg' }, { text: 'Hi' }];
    const { reply: whole, leftOut } = stream(reply({ content: { parts }, finishReason: 'STOP' }));
    const signed = { kind: 'thinking', text: 'hm', signature: signedBy('google', 'EpEg') };
    assert.deepEqual([whole.parts, leftOut], [[signed, { kind: 'text', text: 'Hi' }], false]);
  });

  test('that was withheld says so', () => {
    for (const finishReason of ['SAFETY', 'RECITATION', 'PROHIBITED_CONTENT', 'MODEL_ARMOR'])
      assert.equal(stream(reply({ finishReason })).reply.finish.reason, 'content-filter');
    assert.equal(stream({ promptFeedback: { blockReason: 'SAFETY' }, ...about }).reply.finish.reason, 'content-filter');
  });

  test('has ids of calls that stay apart where Google gives none', () => {
    const calls = ['f', 'f'].map(name => ({ functionCall: { name, args: {} } }));
    const { parts, finish } = valueIn(generateContent.decodeReply(reply({ content: { parts: calls }, finishReason: 'STOP' })));
    const ids = parts.flatMap(part => (part.kind === 'tool-call' ? [part.id] : []));
    assert.equal(new Set(ids).size, 2);
    assert.equal(finish.reason, 'tool-calls');
  });

  test('signs what follows the thinking, whole or in pieces', () => {
    const parts = [
      { text: 'hm', thought: true },
      { text: 'Hi', thoughtSignature: 'EpEg' },
    ];
    const whole = valueIn(generateContent.decodeReply(reply({ content: { parts }, finishReason: 'STOP' })));
    const pieces = stream(
      reply({ content: { parts: [{ text: 'h', thought: true }] } }),
      reply({ content: { parts: [{ text: 'm', thought: true }] } }),
      reply({ content: { parts: parts.slice(1) }, finishReason: 'STOP' }),
    );
    assert.deepEqual(pieces.reply.parts, whole.parts);
    assert.deepEqual(
      whole.parts.map(part => part.kind === 'thinking' && signatureOf('google', part.signature)),
      ['EpEg', false],
    );
  });

  test('with sources, code or images has more than can be kept', () => {
    const text = { content: { parts: [{ text: 'a' }] }, finishReason: 'STOP' };
    assert.equal(generateContent.leavesOut(reply(text)), false);
    assert.equal(generateContent.leavesOut(reply({ ...text, groundingMetadata: { groundingChunks: [{}] } })), true);
    assert.equal(generateContent.leavesOut(reply({ ...text, groundingMetadata: { searchEntryPoint: {} } })), true);
    assert.equal(stream(reply({ content: { parts: [{ executableCode: { code: 'x' } }] }, finishReason: 'STOP' })).leftOut, true);
  });

  test('has its sources with its words: counted in bytes, through all frames, before a signature', () => {
    const web = { web: { uri: 'https://a.test/', title: 'A' } };
    const segment = (text: string, place: object) => ({ segment: { text, ...place }, groundingChunkIndices: [0] });
    const said = (text: string, more: object = {}) => reply({ content: { parts: [{ text }] }, ...more });
    const grounded = (...groundingSupports: object[]) => ({ groundingMetadata: { groundingChunks: [web], groundingSupports } });
    const source = { kind: 'url', url: 'https://a.test/', title: 'A' } as const;
    const { reply: streamed, leftOut } = stream(
      said('Zwölf 😀'),
      said(' Stück.', { groundingMetadata: {} }),
      reply({
        content: { parts: [{ text: '', thoughtSignature: 'c2ln' }] },
        finishReason: 'STOP',
        ...grounded(segment('Stück.', { startIndex: 12, endIndex: 19 }), segment('elsewhere', { endIndex: 5 })),
      }),
    );
    assert.deepEqual(
      [streamed.parts[0], leftOut],
      [{ kind: 'text', text: 'Zwölf 😀 Stück.', citations: [{ source, span: { start: 9, end: 15 } }, { source }] }, false],
    );

    const parts = [{ text: 'Hm', thought: true }, { text: 'Zwölf.' }];
    const whole = generateContent.decodeReply(
      reply({
        content: { parts },
        finishReason: 'STOP',
        ...grounded(segment('ölf', { partIndex: 1, startIndex: 2, endIndex: 6 })),
      }),
    );
    assert.deepEqual(whole.ok && whole.value.parts[1], {
      kind: 'text',
      text: 'Zwölf.',
      citations: [{ source, span: { start: 2, end: 5 } }],
    });
  });

  test('that Google read an address for rests on it, once', () => {
    const read = (url: string) => ({ urlContextMetadata: { urlMetadata: [{ retrievedUrl: url }] } });
    const text = (more: object) => reply({ content: { parts: [{ text: 'a' }] }, ...more });
    const cited = { groundingMetadata: { groundingChunks: [{ web: { uri: 'https://a.test/' } }] } };
    const { reply: said } = stream(
      text(read('https://a.test/')),
      text(read('https://b.test/')),
      text({ finishReason: 'STOP', ...cited }),
    );
    const urls = said.parts
      .flatMap(part => (part.kind === 'text' ? part.citations! : []))
      .map(({ source }) => source.kind === 'url' && source.url);
    assert.deepEqual(urls, ['https://a.test/', 'https://b.test/']);
  });

  test('ends with an error of its own, in any frame', () => {
    const error = { error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } };
    assert.equal(stream(error).failure?.class, 'upstream_overloaded');
    assert.equal(stream(reply({ content: { parts: [{ text: 'a' }] } }), error).failure?.class, 'upstream_overloaded');
    assert.equal(stream(reply({ content: { parts: [{ text: 'a' }] } })).failure?.class, 'upstream_stream_truncated');
  });
});

describe('arguments in pieces', () => {
  const built = (...pieces: Json[]) => {
    const args = new PartialArgs();
    args.add(pieces);
    return args.isBroken ? 'broken' : JSON.parse(args.json());
  };

  test('come together by their paths', () => {
    const value = built(
      { jsonPath: '$.a.b[0].c', stringValue: 'one ', willContinue: true },
      { jsonPath: '$.a.b[0].c', stringValue: 'two' },
      { jsonPath: '$.a.n', numberValue: 1.5 },
      { jsonPath: "$['x.y']", boolValue: false },
      { jsonPath: '$.nothing', nullValue: 'NULL_VALUE' },
      { jsonPath: '$.__proto__', stringValue: 'p' },
    );
    assert.equal(JSON.stringify(value), '{"a":{"b":[{"c":"one two"}],"n":1.5},"x.y":false,"nothing":null,"__proto__":"p"}');
  });

  test('that lead nowhere, or too far, are broken', () => {
    for (const jsonPath of ['', '$', 'x', '$.a[99999]', '$.a[', '$[0]', `$${'.a'.repeat(100)}`])
      assert.equal(built({ jsonPath, numberValue: 1 }), 'broken', jsonPath);
    assert.equal(built({ jsonPath: '$.a', numberValue: 1 }, { jsonPath: '$.a.b', numberValue: 1 }), 'broken');
  });
});

describe('an error', () => {
  const classOf = (status: number, error: Json, list = false) => {
    const body = JSON.stringify(list ? [{ error }] : { error });
    return generateContent.classify({ status, headers: {}, body, now: epochMillis(0) }).class;
  };
  const quota = (quotaId: string) => [{ violations: [{ quotaId }] }];
  const cases: readonly (readonly [number, Json, string])[] = [
    [
      429,
      { status: 'RESOURCE_EXHAUSTED', details: quota('GenerateRequestsPerMinutePerProjectPerModel') },
      'upstream_rate_limited',
    ],
    [
      429,
      { status: 'RESOURCE_EXHAUSTED', details: quota('GenerateRequestsPerDayPerProjectPerModel-FreeTier') },
      'upstream_quota_exhausted',
    ],
    [429, { message: 'Quota exceeded for metric: x, limit: 0, model: y' }, 'upstream_quota_exhausted'],
    [429, { message: 'Quota exceeded for metric: x, limit: 02, model: y' }, 'upstream_rate_limited'],
    [400, { message: 'API key not valid. Please pass a valid API key.' }, 'upstream_auth_failed'],
    [403, { status: 'PERMISSION_DENIED' }, 'upstream_auth_failed'],
    [
      400,
      { message: 'The input token count (1043256) exceeds the maximum number of tokens allowed (1048576).' },
      'context_length_exceeded',
    ],
    [400, { message: 'max_output_tokens must be at most 65536' }, 'upstream_invalid_request'],
    [404, { message: 'models/x is not found for API version v1beta' }, 'upstream_model_not_found'],
    [404, { message: 'Cached content not found.' }, 'upstream_invalid_request'],
    [503, { status: 'UNAVAILABLE' }, 'upstream_overloaded'],
    [500, { status: 'INTERNAL' }, 'upstream_error'],
    [504, { status: 'DEADLINE_EXCEEDED' }, 'upstream_error'],
  ];
  for (const [status, error, cls] of cases)
    test(`${status} ${error.message ?? error.status} is ${cls}`, () => {
      assert.equal(classOf(status, error), cls);
      assert.equal(classOf(status, error, true), cls);
    });

  test('that is a page says nothing of it', () => {
    const failure = generateContent.classify({
      status: 502,
      headers: {},
      body: '<html>host 10.0.0.1</html>',
      now: epochMillis(0),
    });
    assert.deepEqual([failure.class, failure.message.includes('10.0.0.1')], ['upstream_error', false]);
  });
});
