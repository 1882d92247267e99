import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import { type FailureClass, failure } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import { messagesOf } from '#dataplane/http/sse.ts';
import { EventStreamReader } from '#platform/aws-event-stream.ts';
import { bedrockConverse, converseAsked, eventStream } from './index.ts';

const frontend = bedrockConverse({ model: 'm', stream: false });

function viewOf(body: object) {
  const view = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 100, interpreted: new Set(), isUtf8 });
  assert.ok(view.ok);
  return view.value;
}
const decoded = (body: object) => frontend.decode(viewOf(body));
const user = { role: 'user', content: [{ text: 'Hi' }] };

test('the path says which model, and whether to stream', () => {
  const profile = 'arn:aws:bedrock:us-east-1:1:application-inference-profile/a';
  assert.deepEqual(converseAsked(`/model/${encodeURIComponent(profile)}/converse-stream`), { model: profile, stream: true });
  assert.deepEqual(converseAsked('/model/eu.amazon.nova-lite-v1:0/converse'), {
    model: 'eu.amazon.nova-lite-v1:0',
    stream: false,
  });
  for (const path of ['/model/m/invoke', '/model//converse', '/model/a/b/converse', '/model/%E0%A4%A/converse', '/v1/models'])
    assert.equal(converseAsked(path), undefined, path);
});

describe('a body', () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ messages: [{ role: 'tool', content: [] }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: 'Hi' }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [{ text: 1 }] }] }, 'messages[0].content[0].text'],
    [{ messages: [{ role: 'user', content: [{ image: { format: 'png' } }] }] }, 'messages[0].content[0].image.source'],
    [
      { messages: [{ role: 'assistant', content: [{ toolUse: { toolUseId: 't', name: 'f', input: 'x' } }] }] },
      'messages[0].content[0].toolUse.input',
    ],
    [{ messages: [user], toolConfig: { tools: [{ toolSpec: { name: 'f' } }] } }, 'toolConfig.tools[0].toolSpec.inputSchema'],
    [{ messages: [user], inferenceConfig: { maxTokens: 0 } }, 'inferenceConfig.maxTokens'],
    [
      { messages: [user], outputConfig: { textFormat: { structure: { jsonSchema: { schema: '{' } } } } },
      'outputConfig.textFormat.structure.jsonSchema.schema',
    ],
    [
      { messages: [user], additionalModelRequestFields: { thinking: { type: 'enabled' } } },
      'additionalModelRequestFields.thinking.budget_tokens',
    ],
  ];
  for (const [body, param] of wrong)
    test(`that is wrong at ${param} is refused by that name`, () => {
      const read = decoded(body);
      assert.ok(!read.ok);
      assert.deepEqual([read.failure.class, read.failure.param], ['invalid_request', param]);
    });

  test('keeps what only Bedrock knows, by where it stands', () => {
    const read = decoded({
      messages: [{ role: 'user', content: [{ text: 'Hi' }, { video: { format: 'mp4' } }, { guardContent: {} }] }],
      guardrailConfig: { guardrailIdentifier: 'g' },
      additionalModelRequestFields: { anthropic_beta: ['x'], top_k: 5 },
      toolConfig: { tools: [{ systemTool: { name: 'nova_grounding' } }] },
    });
    assert.ok(read.ok);
    assert.deepEqual(Object.keys(read.value.extra).sort(), [
      'additionalModelRequestFields.anthropic_beta',
      'guardrailConfig',
      'messages[0].content[1]',
      'messages[0].content[2]',
      'toolConfig.tools[0]',
    ]);
    assert.equal(read.value.sampling.topK, 5);
  });

  test('has a cheap look: no messages are refused, and the controls of ours are taken out', () => {
    const look = (body: object) => frontend.inspect(viewOf(body));
    for (const body of [{}, { messages: [] }, { messages: 'x' }]) assert.ok(!look(body).ok);
    const seen = look({ messages: [user], metadata: { a: 'b' }, user: 'me' });
    assert.ok(seen.ok);
    assert.deepEqual([...seen.value.edits.keys()].sort(), ['metadata', 'user']);
    assert.deepEqual([seen.value.model, seen.value.stream], ['m', false]);
  });

  test('tells its limit, its tools, its schema and its pictures without being decoded', () => {
    const { fields } = frontend;
    assert.equal(fields.outputLimit(viewOf({ inferenceConfig: { maxTokens: 7 } })), 7);
    assert.equal(fields.outputLimit(viewOf({ inferenceConfig: { maxTokens: '7' } })), undefined);
  });
});

describe('a failure', () => {
  const cases: readonly (readonly [FailureClass, string])[] = [
    ['invalid_request', 'ValidationException'],
    ['invalid_api_key', 'AccessDeniedException'],
    ['budget_exceeded', 'ServiceQuotaExceededException'],
    ['model_not_found', 'ResourceNotFoundException'],
    ['rate_limit_exceeded', 'ThrottlingException'],
    ['no_backend', 'ServiceUnavailableException'],
    ['upstream_error', 'InternalServerException'],
  ];
  for (const [cls, name] of cases)
    test(`${cls} is AWS's ${name}, with the class beside it`, () => {
      const error = JSON.parse(frontend.encodeError(failure(cls), 'r'));
      assert.deepEqual([error.__type, error.error_code, error.request_id], [name, cls, 'r']);
    });

  test('in a stream is an exception frame of the few that streams have', () => {
    const framed = (cls: FailureClass) => {
      const reader = new EventStreamReader();
      const [message] = reader.push(Buffer.from(eventStream(messagesOf).frames(frontend.encodeStreamError(failure(cls), 'r'))));
      return [message!.headers[':message-type'], message!.headers[':exception-type']];
    };
    assert.deepEqual(framed('upstream_rate_limited'), ['exception', 'throttlingException']);
    assert.deepEqual(framed('upstream_stream_truncated'), ['exception', 'internalServerException']);
    assert.deepEqual(framed('budget_exceeded'), ['exception', 'internalServerException']);
  });
});

test('comments, which say nothing, are no frames', () => {
  assert.equal(eventStream(messagesOf).frames(': ping\n\n').length, 0);
});
