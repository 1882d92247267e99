// `midStream: Continue` over streams that are cut at any byte: the client has one well-formed stream with the whole text, whatever the
// wires of the two backends and its own, and both attempts have their rows. TOLLGATE_SEED=17 repeats the places of a run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { chat, chatPath, message, messagesPath } from '#test/support/client.ts';
import { type Cut, CutPlaces, type Ending, eachCut } from '#test/support/cut-places.ts';
import { isWholeIn } from '#test/support/cuts.ts';
import { settledRows } from '#test/support/fault-stage.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type RawAsked, type RawUpstream, startRawUpstream } from '#test/support/raw-upstream.ts';
import type { Wire } from '#test/support/relays.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { answerText, messagesIn } from '#test/support/sse.ts';
import { openStream } from '#test/support/streaming.ts';
import { within } from '#test/support/until.ts';
import { eventStream, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { anthropicStream, openaiStream, wholeStream } from '#test/support/wires.ts';

const PLACES = process.env.TOLLGATE_SOAK === undefined ? 250 : Number.POSITIVE_INFINITY;
const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1e6));

const words = ['Grüße', ' aus', ' dem', ' "finish_reason":', ' \u{1f600}', ' [DONE]', ' und', ' zurück.'];
const TEXT = words.join('');
const wires = ['openai', 'anthropic'] as const;
const streams = { openai: openaiStream, anthropic: anthropicStream } as const;
const places = new CutPlaces(wires.map(wire => wholeStream(streams[wire], ...words)));

/** The first backend's wire, the second's, and the client's dialect. */
const ways = wires.flatMap(first =>
  wires.flatMap(second =>
    (['chat', 'messages'] as const).map(dialect => ({ first, second, dialect, model: `${first}-${second}` })),
  ),
);
type Way = (typeof ways)[number];

let cutting: RawUpstream;
let going: Upstream;
let gateway: Gateway;

before(async () => {
  cutting = await startRawUpstream(cut);
  going = await startUpstream((response, { path, body }) => {
    // An engine's metrics: it has none.
    if (body.length === 0) return void response.writeHead(404).end();
    const wire: Wire = path.includes('messages') ? 'anthropic' : 'openai';
    const said = saidSoFar(JSON.parse(body.toString()));
    assert.ok(TEXT.startsWith(said), said);
    return eventStream(wholeStream(streams[wire], TEXT.slice(said.length)))(response, {} as never);
  });
  const patient = { circuitBreaker: { consecutiveFailures: 1000, minRequests: 100_000 } };
  const models = ways.filter(({ dialect }) => dialect === 'chat');
  const modelsOf = (wire: Wire) => models.filter(({ first }) => first === wire).map(({ model }) => model);
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('openai', 'OpenAICompatible', cutting.url, modelsOf('openai'), patient),
      provider('anthropic', 'Anthropic', cutting.url, modelsOf('anthropic'), patient),
      provider('second-openai', 'VLLM', going.url, ['qwen']),
      provider('second-anthropic', 'Anthropic', going.url, ['claude-sonnet-4-5']),
      ...models.map(({ first, second, model }) =>
        route(
          model,
          model,
          [
            first,
            {
              name: 'second',
              providerRef: { name: `second-${second}` },
              model: second === 'openai' ? 'qwen' : 'claude-sonnet-4-5',
            },
          ],
          { retries: { attempts: 0 }, fallback: { midStream: 'Continue' } },
        ),
      ),
    ),
    env: { LOG_LEVEL: 'error' },
  });
});
after(async () => {
  await gateway?.stop();
  await cutting?.close();
  await going?.close();
});

/** The place stands in the question. */
async function cut({ socket, body }: RawAsked): Promise<void> {
  const [, stream, ending, offset] = /(\d);([^;"]+);(\d+)/.exec(body)!;
  const bytes = places.bytesOf({ stream: Number(stream), ending: ending as Ending, offset: Number(offset) });
  await new Promise<void>(resolve => socket.write(bytes, () => resolve()));
  if (ending !== 'chunked, RST') return void socket.end();
  await delay(5);
  socket.resetAndDestroy();
}

type Said = { readonly role: string; readonly content: string | readonly { readonly text: string }[] };

/** The text that the assistant is to go on with; none where it answers anew. */
function saidSoFar({ messages }: { readonly messages: readonly Said[] }): string {
  const { role, content } = messages.at(-1)!;
  if (role !== 'assistant') return '';
  return typeof content === 'string' ? content : content.map(part => part.text).join('');
}

type Seen = { readonly requestId: string; readonly text: string; readonly cleanly: boolean };

async function ask({ dialect, model }: Way, { stream, ending, offset }: Cut): Promise<Seen> {
  const body = { stream: true, max_tokens: 200, messages: [{ role: 'user', content: `${stream};${ending};${offset}` }] };
  const opened = await openStream(
    gateway.url + (dialect === 'chat' ? chatPath : messagesPath),
    dialect === 'chat' ? chat(model, body) : message(model, body),
  );
  const { text, cleanly } = await opened.ended;
  assert.equal(opened.status, 200, text);
  return { requestId: String(opened.headers['x-request-id']), text, cleanly };
}

describe('a stream that is cut at any byte and gone on with', () => {
  for (const way of ways)
    test(`${way.first} then ${way.second}, for ${way.dialect}: is one stream with the whole text`, async () => {
      const seen: { readonly cut: Cut; readonly seen: Seen }[] = [];
      const own = function* () {
        for (const one of places.some(2 * PLACES, seed)) if (wires[one.stream] === way.first) yield one;
      };
      const count = await eachCut(own(), 16, async one => {
        const what = `${JSON.stringify(one)}, seed ${seed}`;
        const answer = await within(30_000, what, ask(way, one));
        assert.ok(answer.cleanly, `${what}: ${answer.text.slice(-300)}`);
        assert.equal(answerText(answer.text), TEXT, what);
        assertOne(way, answer.text, what);
        seen.push({ cut: one, seen: answer });
      });
      assert.ok(count >= Math.min(PLACES, 100) / 2);
      const rows = await settledRows(
        gateway,
        seen.map(one => one.seen.requestId),
      );
      for (const one of seen) {
        const attempts = rows.get(one.seen.requestId)!;
        const last = attempts.at(-1)!;
        assert.ok(last.failure === null && last.cost! > 0, JSON.stringify([one.cut, attempts]));
        // What was lost in a reset nobody can tell.
        if (one.cut.ending === 'chunked, RST') continue;
        const isWhole = isWholeIn(way.first, places.bodyOf(one.cut));
        assert.equal(attempts.length, isWhole ? 1 : 2, JSON.stringify([one.cut, attempts]));
        if (isWhole) continue;
        const [first] = attempts;
        assert.ok(first!.failure !== null);
        const begun = answerText(`${places.bodyOf(one.cut)}`.replace(/[^\n]*$/, '')) !== '';
        if (begun) assert.ok(first!.cost! > 0 && first!.estimated === 1, JSON.stringify([one.cut, attempts]));
      }
    });
});

/** Each thing that a stream has once is there once, in its place. */
function assertOne({ dialect }: Way, text: string, what: string): void {
  const events = messagesIn(text);
  if (dialect === 'messages') {
    const kinds = events.map(({ event }) => event).filter(event => event !== 'ping' && event !== 'content_block_delta');
    assert.deepEqual(
      kinds,
      ['message_start', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop'],
      `${what}: ${text}`,
    );
    const { delta } = JSON.parse(events.find(({ event }) => event === 'message_delta')!.data);
    assert.equal(delta.stop_reason, 'end_turn', what);
    return;
  }
  assert.equal(events.filter(({ data }) => data === '[DONE]').length, 1, `${what}: ${text}`);
  assert.equal(events.at(-1)!.data, '[DONE]', what);
  const chunks = events.slice(0, -1).map(({ data }) => JSON.parse(data));
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1, `${what}: ${text}`);
  assert.equal(new Set(chunks.map(({ model }) => model)).size, 1, `${what}: ${text}`);
  const finishes = chunks.flatMap(({ choices }) => choices.map((choice: { finish_reason: unknown }) => choice.finish_reason));
  assert.deepEqual(finishes.filter(Boolean), ['stop'], what);
  assert.equal(finishes.at(-1), 'stop', what);
  assert.equal(chunks.filter(({ choices }) => choices[0]?.delta.role).length, 1, `${what}: ${text}`);
}
