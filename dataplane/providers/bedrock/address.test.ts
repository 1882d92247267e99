import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { claude } from './claude.ts';
import { converse } from './converse.ts';
import { bedrock } from './index.ts';
import { tellingName } from './target.ts';
import { CLAUDE, LLAMA, NOVA, targetOf } from './testing.ts';

const generate = { stream: false, action: 'generate' } as const;
const profile = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mi1dadi0g15f';

describe('an address', () => {
  test('has the id of the model as one segment, encoded once', () => {
    const paths: readonly (readonly [string, string])[] = [
      [NOVA, '/model/us.amazon.nova-2-lite-v1%3A0/converse'],
      [profile, '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fmi1dadi0g15f/converse'],
      ["it's(*)!", '/model/it%27s%28%2A%29%21/converse'],
    ];
    for (const [upstreamName, path] of paths) assert.equal(converse.address(targetOf({ upstreamName }), generate).path, path);
  });

  test('is that of the region, of its own in China, or what the provider says', () => {
    const origin = (region: string, endpoint?: string) =>
      converse.address(targetOf({ region, ...(endpoint && { endpoint }) }), generate);
    assert.equal(origin('eu-central-1').origin, 'https://bedrock-runtime.eu-central-1.amazonaws.com');
    assert.equal(origin('us-gov-west-1').origin, 'https://bedrock-runtime.us-gov-west-1.amazonaws.com');
    assert.equal(origin('cn-north-1').origin, 'https://bedrock-runtime.cn-north-1.amazonaws.com.cn');
    const { origin: host, path } = origin('eu-central-1', 'https://vpce-1.example/prefix');
    assert.deepEqual([host, path], ['https://vpce-1.example', '/prefix/model/us.amazon.nova-2-lite-v1%3A0/converse']);
  });

  test('says by which operation, and what it takes for an answer', () => {
    const streamed = { ...generate, stream: true };
    const operation = (path: string) => path.split('/').at(-1);
    assert.equal(operation(converse.address(targetOf(), streamed).path), 'converse-stream');
    assert.equal(operation(claude.address(targetOf(), generate).path), 'invoke');
    assert.equal(operation(claude.address(targetOf(), streamed).path), 'invoke-with-response-stream');
    assert.equal(converse.address(targetOf(), streamed).headers.accept, 'application/vnd.amazon.eventstream');
  });

  test('counts for the model and not for the inference profile that it is asked by', () => {
    const { path } = claude.address(targetOf({ upstreamName: CLAUDE }), { stream: false, action: 'count-tokens' });
    assert.equal(path, '/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens');
  });

  test('has a Bedrock API key as bearer token, and else nothing but a signature to come', () => {
    assert.equal(converse.address(targetOf({ credential: 'k' }), generate).headers.authorization, 'Bearer k');
    assert.equal(converse.address(targetOf(), generate).headers.authorization, undefined);
  });
});

test('a model is known by its id without a region, and the version in a name is no region', () => {
  const names: readonly (readonly [string, string])[] = [
    [NOVA, 'amazon.nova-2-lite-v1:0'],
    ['us-gov.meta.llama3-3-70b-instruct-v1:0', 'meta.llama3-3-70b-instruct-v1:0'],
    ['global.openai.gpt-5.4', 'openai.gpt-5.4'],
    ['openai.gpt-5.4', 'openai.gpt-5.4'],
    ['zai.glm-4.6', 'zai.glm-4.6'],
    ['arn:aws:bedrock:us-east-1::foundation-model/qwen.qwen3.5-32b', 'qwen.qwen3.5-32b'],
    ['arn:aws:sagemaker:us-east-1:123456789012:endpoint/endpoint-quick-start-x1', 'public'],
  ];
  for (const [upstreamName, name] of names) assert.equal(tellingName(targetOf({ upstreamName, name: 'public' }).model), name);
});

test("Anthropic's models are spoken to in their own dialect, and by Converse for who speaks that", () => {
  const dialects = (upstreamName: string, name = 'm') =>
    bedrock.of(targetOf({ upstreamName, name })).map(({ dialect }) => dialect);
  const both = ['anthropic-messages', 'bedrock-converse'];
  assert.deepEqual(dialects(CLAUDE), both);
  assert.deepEqual(dialects(`arn:aws:bedrock:us-east-1:123456789012:inference-profile/${CLAUDE}`), both);
  assert.deepEqual(dialects('global.anthropic.claude-opus-4-7'), both);
  assert.deepEqual(dialects(NOVA), ['bedrock-converse']);
  assert.deepEqual(dialects(LLAMA), ['bedrock-converse']);
  // What is behind a profile of one's own only its public name can tell.
  assert.deepEqual(dialects(profile, 'our-model'), ['bedrock-converse']);
  assert.deepEqual(dialects(profile, 'claude-sonnet-4-5'), both);
});
