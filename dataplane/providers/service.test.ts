import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dialect } from '#core/chat/dialect.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { anthropic } from './anthropic/index.ts';
import { converse } from './bedrock/converse.ts';
import { encodeFor } from './openai/encode.ts';
import { openAI } from './openai/index.ts';
import { compatibleProfile, openAIProfile } from './openai/profile.ts';
import { encodeResponsesFor } from './openai/responses/encode.ts';
import type { Provider, RequestFields, Target } from './provider.ts';

type Wire = Pick<Provider, 'serviceAsked' | 'inspectReply' | 'streamDecoder'>;

const fieldsOf = (body: Record<string, unknown>): RequestFields => ({ has: name => name in body, get: name => body[name] });

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const message = { role: 'assistant', content: 'x' };
const chat = (tier: unknown) => ({ id: 'c', choices: [{ index: 0, message, finish_reason: 'stop' }], usage, service_tier: tier });
const said = (rest: object) => ({
  id: 'm',
  type: 'message',
  role: 'assistant',
  model: 'claude',
  content: [{ type: 'text', text: 'x' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 1, output_tokens: 1, ...rest },
});
const conversed = (rest: object) => ({
  output: { message: { role: 'assistant', content: [{ text: 'x' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 1, outputTokens: 1 },
  ...rest,
});

describe('levels of service on a wire', () => {
  const asked: [sentence: string, wire: Wire, body: Record<string, unknown>, levels: unknown][] = [
    ['a tier, by either name', openAI, { service_tier: 'fast' }, [['tier', 'priority', 'service_tier']]],
    ['no tier', openAI, { service_tier: null }, undefined],
    [
      'speed and region',
      anthropic,
      { inference_geo: 'us', speed: 'fast' },
      [
        ['speed', 'fast', 'speed'],
        ['region', 'us', 'inference_geo'],
      ],
    ],
    [
      'tier and latency',
      converse as Wire,
      { serviceTier: { type: 'priority' }, performanceConfig: { latency: 'optimized' } },
      [
        ['tier', 'priority', 'serviceTier.type'],
        ['latency', 'optimized', 'performanceConfig.latency'],
      ],
    ],
    ['nothing of use', converse as Wire, { serviceTier: 7 }, undefined],
  ];
  for (const [sentence, wire, body, levels] of asked)
    test(`are asked for: ${sentence}`, () => {
      const found = wire.serviceAsked?.(fieldsOf(body));
      assert.deepEqual(
        found?.map(({ aspect, level, param }) => [aspect, level, param]),
        levels,
      );
    });

  const told: [sentence: string, wire: Wire, reply: unknown, service: unknown][] = [
    ['OpenAI', openAI, chat('priority'), { tier: 'priority' }],
    ['OpenAI, standard', openAI, chat('default'), { tier: 'default' }],
    ['OpenAI, not at all', openAI, chat(null), undefined],
    ['Anthropic, whose priority was paid for', anthropic, said({ speed: 'fast', service_tier: 'priority' }), { speed: 'fast' }],
    ['Bedrock', converse as Wire, conversed({ serviceTier: { type: 'flex' } }), { tier: 'flex' }],
  ];
  for (const [sentence, wire, reply, service] of told)
    test(`are told: ${sentence}`, () => {
      const facts = wire.inspectReply(reply);
      assert.ok(facts.ok);
      assert.deepEqual(facts.value.usage?.service, service);
    });

  test('are told at the end of a stream of Bedrock', () => {
    const decoder = converse.streamDecoder(undefined, { upstreamName: 'nova' } as ModelEntry);
    const metadata = { usage: { inputTokens: 1, outputTokens: 1 }, serviceTier: { type: 'priority' } };
    const events = [
      ['messageStart', { role: 'assistant' }],
      ['messageStop', { stopReason: 'end_turn' }],
      ['metadata', metadata],
    ].flatMap(([event, data]) => decoder.push({ event: String(event), data: JSON.stringify(data) }));
    assert.deepEqual(
      events.flatMap(event => (event.kind === 'usage' ? [event.usage.service] : [])),
      [{ tier: 'priority' }],
    );
  });

  test("go from one of OpenAI's dialects to the other at OpenAI alone, and are named where they are left out", () => {
    const request = (dialect: Dialect): ChatRequest => ({
      dialect,
      model: 'm',
      messages: [],
      tools: [],
      sampling: {},
      stop: [],
      stream: false,
      extra: { service_tier: 'priority', other: 1 },
    });
    const target = {
      provider: { parameters: { dropUnsupported: true } },
      model: { upstreamName: 'gpt-4o', capabilities: [] },
    } as unknown as Target<never>;
    const encoded = [
      encodeFor(openAIProfile)(request('openai-responses'), target),
      encodeResponsesFor(openAIProfile)(request('openai-chat'), target),
      encodeFor(compatibleProfile)(request('openai-responses'), target),
      encodeFor(openAIProfile)(request('anthropic-messages'), target),
    ].map(one => (one.ok ? [one.value.body.service_tier, one.value.dropped] : one));
    const leftOut = [undefined, ['service_tier', 'other']];
    assert.deepEqual(encoded, [['priority', ['other']], ['priority', ['other']], leftOut, leftOut]);
  });
});
