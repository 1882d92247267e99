// Invariant 5: client and upstream that speak the same dialect exchange the same bytes, apart from the documented exceptions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chatPath, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { eventStream, json, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { anthropicReply, anthropicStream, openaiStream, wholeStream } from '#test/support/wires.ts';

let upstream: Upstream;
let gateway: Gateway;

before(async () => {
  upstream = await startUpstream(() => {});
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      provider('oa', 'OpenAI', upstream.url, ['same', { name: 'renamed', upstreamName: 'gpt-upstream' }]),
      provider('compatible', 'OpenAICompatible', upstream.url, ['same-compatible']),
      provider('an', 'Anthropic', upstream.url, ['same-claude', { name: 'renamed-claude', upstreamName: 'claude-upstream' }]),
      provider('edited', 'OpenAI', upstream.url, ['edited'], { parameters: { set: { seed: 7 }, drop: ['logit_bias'] } }),
      ...['same', 'renamed', 'edited'].map(model => route(model, model, [model === 'edited' ? 'edited' : 'oa'])),
      route('same-compatible', 'same-compatible', ['compatible']),
      ...['same-claude', 'renamed-claude'].map(model => route(model, model, ['an'])),
      tenantKey(),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

/** Sends the text, answers with `reply`, and yields what went up and what came down. */
async function exchange(
  path: string,
  sent: string,
  reply: string,
  headers: Record<string, string> = {},
): Promise<{ up: string; down: string }> {
  const stream = reply.startsWith('data:') || reply.startsWith('event:') || reply.startsWith(':');
  upstream.answer(stream ? eventStream(reply) : json(200, reply));
  const seen = upstream.asked.length;
  const answered = await post(gateway.url + path, sent, { headers });
  assert.equal(answered.status, 200, answered.text);
  return { up: upstream.asked[seen]!.body.toString(), down: answered.text };
}

/** Legal JSON that a parse and a print would change: spaces, escapes, order, big and odd numbers, strange keys. */
const oddChat = (model: string, rest = ''): string =>
  `\n { "zeta" : 12345678901234567890, "messages":\t[ {"content" : "\\u0041\\/ \u2028\u2029 caf\u00e9 \\ud83d\\ude00 \ud83d\ude00", "role":"user", "x-unknown": -0.0 } ],` +
  `  "model"  :  "${model}" ,\r\n"__proto__": {"polluted": 1e400}, "constructor": null, "": [ ], "nested": {"model": "same", "a" : 1.0, "a ":2E+2 }${rest}}  \n`;

const oddReply = `{ "id":"chatcmpl-1",  "object":"chat.completion","created":1790000000, "model":"gpt-upstream","big":98765432109876543210,
  "choices":[{"index":0,"message":{"role":"assistant","content":"\\u0041 \u2028 \ud83d\ude00","refusal":null,"unknown_field":[ ]},"finish_reason":"stop"}],
  "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2 } , "__proto__":{} }`;

describe('a request of the same dialect', () => {
  for (const model of ['same', 'same-compatible']) {
    test(`reaches the upstream byte by byte (${model})`, async () => {
      const { up } = await exchange(chatPath, oddChat(model), oddReply);
      assert.equal(up, oddChat(model));
    });
  }

  test('changes in the name of the model only, where the provider calls it otherwise', async () => {
    const { up } = await exchange(chatPath, oddChat('renamed'), oddReply);
    assert.equal(up, oddChat('renamed').replace('"model"  :  "renamed"', '"model"  :  "gpt-upstream"'));
  });

  test('loses our controls and nothing else', async () => {
    const { up } = await exchange(chatPath, oddChat('same', ', "num_retries": 2,"tags":["a"]'), oddReply);
    assert.deepEqual(withoutSpaceAround(up), withoutSpaceAround(oddChat('same')));
  });

  test('changes as `parameters` asks', async () => {
    const { up } = await exchange(chatPath, oddChat('edited', ', "logit_bias": {"1": 2}'), oddReply);
    const body = JSON.parse(up);
    assert.deepEqual([body.seed, 'logit_bias' in body], [7, false]);
    assert.ok(up.includes('12345678901234567890'), 'the rest is as it was');
  });

  test('asks for the usage of a stream, unless the client did', async () => {
    const reply = wholeStream(openaiStream, 'Hi');
    const added = await exchange(chatPath, oddChat('same', ', "stream": true'), reply);
    assert.deepEqual(JSON.parse(added.up).stream_options, { include_usage: true });
    assert.ok(added.up.includes('12345678901234567890'));
    const asked = oddChat('same', ', "stream" : true , "stream_options" : { "include_usage" : true }');
    assert.equal((await exchange(chatPath, asked, reply)).up, asked);
  });

  test('reaches Anthropic byte by byte, with the client’s version and betas', async () => {
    const sent = `{ "max_tokens":5, "model" : "same-claude","messages":[{"role":"user","content":[{"type":"text","text":"\u2028 \\u0041","cache_control":{"type":"ephemeral","ttl":"1h"}}]}], "new_field_of_2027": {"big":12345678901234567890} }`;
    const { up } = await exchange(messagesPath, sent, JSON.stringify(anthropicReply('Hi')), {
      'anthropic-version': '2026-10-21',
      'anthropic-beta': 'beta-one,beta-two',
    });
    assert.equal(up, sent);
    const { headers } = upstream.asked.at(-1)!;
    assert.equal(headers['anthropic-version'], '2026-10-21');
    assert.equal(headers['anthropic-beta'], 'beta-one,beta-two');
  });

  test('goes to Anthropic with a model that is named otherwise there', async () => {
    const sent = `{"model":"renamed-claude","max_tokens":5,  "messages":[{"role":"user","content":"renamed-claude"}]}`;
    const { up } = await exchange(messagesPath, sent, JSON.stringify(anthropicReply('Hi')));
    assert.equal(up, sent.replace('"model":"renamed-claude"', '"model":"claude-upstream"'));
  });
});

describe('an answer of the same dialect', () => {
  test('reaches the client byte by byte', async () => {
    assert.equal((await exchange(chatPath, oddChat('renamed'), oddReply)).down, oddReply);
  });

  test('reaches an Anthropic client byte by byte, unknown blocks and fields too', async () => {
    const reply = `{"id":"msg_1", "type":"message","role":"assistant","model":"claude-upstream","content":[{"type":"text","text":"\u2029"},{"type":"block_of_2027","x":12345678901234567890}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1,"new":[ ]}}`;
    const sent = `{"model":"same-claude","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`;
    assert.equal((await exchange(messagesPath, sent, reply)).down, reply);
  });

  test('is streamed byte by byte: line endings, ids, unknown fields and events', async () => {
    const reply = [
      `data:{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-upstream","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\r\n\r\n`,
      `id: 7\r\ndata: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-upstream","choices":[{"index":0,"delta":{"content":"\u2028 \ud83d\ude00"}}], "big":12345678901234567890}\r\n\r\n`,
      `data: {"id":"c",  "object":"chat.completion.chunk","created":1,"model":"gpt-upstream","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n`,
      `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-upstream","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n`,
      `data: [DONE]\n\n`,
    ].join('');
    const sent = oddChat('same', ', "stream":true, "stream_options":{"include_usage":true}');
    assert.equal((await exchange(chatPath, sent, reply)).down, reply);
  });

  test('is streamed without the usage chunk that the client did not ask for', async () => {
    const reply = wholeStream(openaiStream, 'One', ' two');
    const usageChunk = reply.split('\n\n').find(frame => frame.includes('"usage":{'))!;
    const { down } = await exchange(chatPath, oddChat('same', ', "stream":true'), reply);
    assert.equal(down, reply.replace(`${usageChunk}\n\n`, ''));
  });

  test('is streamed to an Anthropic client byte by byte', async () => {
    const reply = wholeStream(anthropicStream, 'One', ' two').replace(
      'event: content_block_stop',
      'event: event_of_2027\ndata: {"type":"event_of_2027","x":12345678901234567890}\n\nevent: content_block_stop',
    );
    const sent = `{"model":"same-claude","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"x"}]}`;
    assert.equal((await exchange(messagesPath, sent, reply)).down, reply);
  });

  test('of another dialect never gains a field that the client would send back', async () => {
    const sent = `{"model":"same-claude","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`;
    const { down } = await exchange(chatPath, sent, JSON.stringify(anthropicReply('Hi')));
    assert.deepEqual(Object.keys(JSON.parse(down).choices[0].message).sort(), ['content', 'refusal', 'role']);
  });
});

/** The text without white space outside of strings: what is left when a removed field took its own along. */
const withoutSpaceAround = (text: string): string => text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, string) => string ?? '');
