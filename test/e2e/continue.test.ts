// `midStream: Continue` from outside: what the next provider is asked, what the client sees, what is billed.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { bedrockConverse } from '#test/dialects/clients/bedrock-converse.ts';
import { gemini } from '#test/dialects/clients/gemini.ts';
import { send } from '#test/dialects/send.ts';
import { chat, chatPath, get, message, messagesPath } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { rowsOf } from '#test/support/ledger-rows.ts';
import { patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { answerText, isTerminated, messagesIn } from '#test/support/sse.ts';
import { openStream } from '#test/support/streaming.ts';
import { eventStream, json, type Script, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { anthropicStream, openaiStream, type ScriptedStream, wholeStream } from '#test/support/wires.ts';

let first: Upstream;
let second: Upstream;
let gateway: Gateway;

const behind = (name: string) => ({ name, providerRef: { name }, model: name });
const goesOn = { retries: { attempts: 0 }, fallback: { midStream: 'Continue' } };

before(async () => {
  [first, second] = [await startUpstream(() => {}), await startUpstream(() => {})];
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('gpt', 'OpenAI', first.url, ['gpt'], patient),
      provider('claude', 'Anthropic', first.url, [{ name: 'claude', upstreamName: 'claude-sonnet-4-5' }], patient),
      provider('engine', 'VLLM', second.url, ['engine'], patient),
      provider('sonnet', 'Anthropic', second.url, [{ name: 'sonnet', upstreamName: 'claude-sonnet-4-5' }], patient),
      provider('opus', 'Anthropic', second.url, [{ name: 'opus', upstreamName: 'claude-opus-4-8' }], patient),
      provider('other', 'OpenAI', second.url, ['other'], patient),
      ...['gpt', 'claude'].flatMap(from =>
        ['engine', 'sonnet', 'opus', 'other'].map(to =>
          route(`${from}-${to}`, `${from}-${to}`, [behind(from), behind(to)], goesOn),
        ),
      ),
      route('past', 'past', [behind('gpt'), behind('other'), behind('opus'), behind('sonnet')], goesOn),
      route('fails', 'fails', [behind('gpt'), behind('engine')], { retries: { attempts: 0 } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([first?.close(), second?.close()]);
});
beforeEach(() => {
  for (const upstream of [first, second]) upstream.asked.length = 0;
});

/** Ends in the middle of the body. */
const cut =
  (text: string): Script =>
  response => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(text, () => response.destroy());
  };
const begun = ({ opening, content }: ScriptedStream) => cut(opening + content('Once upon') + content(' a time '));
/** Without the looks at how an engine is. */
const askedOf = (upstream: Upstream) => upstream.asked.filter(({ path }) => /\/(?:completions|messages)$/.test(path));
const asked = (upstream: Upstream) => JSON.parse(askedOf(upstream)[0]!.body.toString());

for (const [client, path, body] of [
  ['chat', chatPath, chat],
  ['messages', messagesPath, message],
] as const)
  for (const [from, wire] of [
    ['gpt', openaiStream],
    ['claude', anthropicStream],
  ] as const)
    describe(`${client} client, stream of ${from} that is cut`, () => {
      const send = (model: string) => openStream(gateway.url + path, { ...body(model, { stream: true, max_tokens: 100 }) });

      test('is gone on with by an engine, and both attempts are billed', async () => {
        first.answer(begun(wire));
        second.answer(eventStream(wholeStream(openaiStream, ' there was', ' a toll.')));
        const stream = await send(`${from}-engine`);
        const { text, cleanly } = await stream.ended;
        assert.equal(answerText(text), 'Once upon a time there was a toll.');
        assert.ok(cleanly && isTerminated(text), text);
        const sent = asked(second);
        assert.deepEqual(sent.messages.at(-1), { role: 'assistant', content: 'Once upon a time' });
        assert.deepEqual([sent.continue_final_message, sent.add_generation_prompt, sent.model], [true, false, 'engine']);
        assert.ok(sent.max_tokens > 50 && sent.max_tokens < 100, `${sent.max_tokens} of 100 tokens are left`);
        const rows = await rowsOf(gateway, stream.headers['x-request-id'] as string, 2);
        assert.deepEqual(
          rows.map(row => [row.purpose, row.provider, row.failure, row.estimated === 1, row.cost > 0]),
          [
            ['first', `default/${from}`, rows[0]!.failure, true, true],
            ['continue', 'default/engine', null, false, true],
          ],
        );
        assert.match(rows[0]!.failure!, /^upstream_(?:reset|stream_truncated)$/);
      });

      test('is gone on with by a Claude that takes a prefill', async () => {
        first.answer(begun(wire));
        second.answer(eventStream(wholeStream(anthropicStream, 'there was a toll.')));
        const { text } = await (await send(`${from}-sonnet`)).ended;
        assert.equal(answerText(text), 'Once upon a time there was a toll.');
        assert.ok(isTerminated(text));
        const last = asked(second).messages.at(-1);
        assert.equal(last.role, 'assistant');
        assert.equal(typeof last.content === 'string' ? last.content : last.content[0].text, 'Once upon a time');
      });

      for (const [to, why] of [
        ['opus', 'a Claude that refuses prefill'],
        ['other', 'OpenAI, which has none'],
      ] as const)
        test(`ends in a typed error before ${why}, which is not asked`, async () => {
          first.answer(begun(wire));
          const { text } = await (await send(`${from}-${to}`)).ended;
          assert.ok(!isTerminated(text));
          assert.match(JSON.parse(messagesIn(text).at(-1)!.data).error.code, /^upstream_(?:reset|stream_truncated)$/);
          assert.equal(answerText(text).trim(), 'Once upon a time');
          assert.equal(askedOf(second).length, 0);
        });
    });

test('backends that cannot go on are passed over', async () => {
  first.answer(begun(openaiStream));
  second.answer(eventStream(wholeStream(anthropicStream, ' there was a toll.')));
  const { text } = await (await openStream(gateway.url + chatPath, chat('past', { stream: true }))).ended;
  assert.equal(answerText(text), 'Once upon a time there was a toll.');
  assert.deepEqual(
    askedOf(second).map(({ path }) => path),
    ['/v1/messages'],
  );
});

for (const client of [gemini, bedrockConverse])
  test(`is gone on with for clients of ${client.dialect}, in whose words the next provider is told what was said`, async () => {
    first.answer(begun(openaiStream));
    second.answer(eventStream(wholeStream(anthropicStream, ' there was a toll.')));
    const ask = { model: 'past', turns: [{ user: [{ kind: 'text' as const, text: 'Tell me a tale.' }] }], stream: true as const };
    const { bytes } = await send(gateway.url, client, { ...ask, maxTokens: 100 });
    const { text, finish } = client.readStream(bytes);
    assert.deepEqual([text, finish], ['Once upon a time there was a toll.', 'stop']);
    const { role, content } = asked(second).messages.at(-1);
    assert.deepEqual([role, content[0].text], ['assistant', 'Once upon a time']);
  });

test('where the next one fails too, the client is told what broke its stream', async () => {
  first.answer(begun(openaiStream));
  second.answer(json(400, { error: { message: 'No.', type: 'invalid_request_error' } }));
  const { text } = await (await openStream(gateway.url + chatPath, chat('gpt-engine', { stream: true }))).ended;
  assert.match(JSON.parse(messagesIn(text).at(-1)!.data).error.code, /^upstream_(?:reset|stream_truncated)$/);
  assert.equal(askedOf(second).length, 1);
});

test('an answer that must be JSON is not gone on with: what constrains it would begin anew', async () => {
  first.answer(begun(openaiStream));
  const body = chat('gpt-engine', { stream: true, response_format: { type: 'json_object' } });
  const { text } = await (await openStream(gateway.url + chatPath, body)).ended;
  assert.ok(!isTerminated(text) && askedOf(second).length === 0);
});

test('with Fail, the default, nobody is asked to go on', async () => {
  first.answer(begun(openaiStream));
  const { text } = await (await openStream(gateway.url + chatPath, chat('fails', { stream: true }))).ended;
  assert.ok(JSON.parse(messagesIn(text).at(-1)!.data).error.code);
  assert.equal(askedOf(second).length, 0);
});

test('continued streams are counted', async () => {
  assert.match(
    (await get(`${gateway.url}/metrics`)).text,
    /tollgate_streams_continued_total\{route="default\/gpt-engine",outcome="won"\} 2/,
  );
});
