// An upstream's answer that is cut at any byte, from its first line to its last chunk, by FIN and by RST, seen by clients of the real
// process: no half answer ends like a whole one, no event is broken, and the SDKs raise. Places all over; every one with
// TOLLGATE_SOAK=1. TOLLGATE_SEED=17 repeats the places of a run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { chat, chatPath, message, messagesPath } from '#test/support/client.ts';
import { type Cut, CutPlaces, type Ending, eachCut } from '#test/support/cut-places.ts';
import { isWholeIn } from '#test/support/cuts.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type RawAsked, type RawUpstream, startRawUpstream } from '#test/support/raw-upstream.ts';
import { recordedStreams } from '#test/support/recorded-streams.ts';
import { shortened } from '#test/support/recordings.ts';
import type { Wire } from '#test/support/relays.ts';
import { clientKey, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { isTerminated, type Message, messagesIn } from '#test/support/sse.ts';
import { openStream } from '#test/support/streaming.ts';
import { within } from '#test/support/until.ts';
import { anthropicStream, openaiStream, wholeStream } from '#test/support/wires.ts';

const SOAK = process.env.TOLLGATE_SOAK !== undefined;
const PLACES = SOAK ? Number.POSITIVE_INFINITY : 2000;
const SDK_PLACES = SOAK ? 2000 : 150;
const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1e6));

const dialects = ['chat', 'messages'] as const;
type Dialect = (typeof dialects)[number];
type Place = Cut & { readonly dialect: Dialect };

const scripted = [
  {
    name: 'scripted OpenAI',
    wire: 'openai',
    body: wholeStream(openaiStream, 'Grüße', ' "finish_reason": "stop"', ' \u{1f600} [DONE]'),
  },
  {
    name: 'scripted Anthropic',
    wire: 'anthropic',
    body: wholeStream(anthropicStream, 'Grüße', ' "type":"message_stop"', ' \u{1f600}'),
  },
] as const;
const streams: readonly { readonly name: string; readonly wire: Wire; readonly body: string }[] = [
  ...scripted,
  ...recordedStreams.map(stream => ({ ...stream, body: shortened(stream.body) })),
];

const places = new CutPlaces(streams.map(stream => stream.body));

let upstream: RawUpstream;
let gateway: Gateway;

before(async () => {
  upstream = await startRawUpstream(cut);
  const timeouts = { firstToken: '20s', streamIdle: '20s', request: '30s' };
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('openai', 'OpenAICompatible', upstream.url, ['openai'], {
        timeouts,
        circuitBreaker: { consecutiveFailures: 1000, minRequests: 100_000 },
      }),
      provider('anthropic', 'Anthropic', upstream.url, ['anthropic'], {
        timeouts,
        circuitBreaker: { consecutiveFailures: 1000, minRequests: 100_000 },
      }),
      ...['openai', 'anthropic'].map(name => route(name, name, [name], { retries: { attempts: 0 } })),
    ),
    env: { LOG_LEVEL: 'error' },
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

/** The place stands in the question. */
const questionOf = ({ stream, ending, offset }: Cut): string => `${stream};${ending};${offset}`;

async function cut({ socket, body }: RawAsked): Promise<void> {
  const [, stream, ending, offset] = /(\d+);([^;"]+);(\d+)/.exec(body)!;
  const bytes = places.bytesOf({ stream: Number(stream), ending: ending as Ending, offset: Number(offset) });
  await new Promise<void>(resolve => socket.write(bytes, () => resolve()));
  if (ending !== 'chunked, RST') return void socket.end();
  // A reset may overtake what was sent before it.
  await delay(5);
  socket.resetAndDestroy();
}

/** Each of so many places, for clients of chat and of messages. */
function eachOf(count: number, run: (place: Place) => Promise<void>): Promise<number> {
  return eachCut(places.some(count, seed), 16, async cut => {
    const both = dialects.map(async dialect => {
      const place = { ...cut, dialect };
      await within(30_000, 'an answer', run(place)).catch(error => {
        throw new Error(`${streams[cut.stream]!.name}, ${JSON.stringify(place)}, seed ${seed}: ${error.message}`, {
          cause: error,
        });
      });
    });
    await Promise.all(both);
  });
}

describe('an answer that is cut at any byte', () => {
  test('never ends as a whole one does, and never with half an event', async () => {
    const started = performance.now();
    const count = await eachOf(PLACES, async place => {
      const { wire } = streams[place.stream]!;
      const model = { stream: true, messages: [{ role: 'user', content: questionOf(place) }] };
      const opened = await openStream(
        gateway.url + (place.dialect === 'chat' ? chatPath : messagesPath),
        place.dialect === 'chat' ? chat(wire, model) : message(wire, model),
      );
      const { text, cleanly } = await opened.ended;
      assertHonest(place, { status: opened.status, text, cleanly });
    });
    console.log(`${count} of ${places.count} places, seed ${seed}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
    assert.equal(count, Math.min(PLACES, places.count));
  });

  test('raises in the SDKs, or is whole', async () => {
    const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey, maxRetries: 0 });
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: clientKey, maxRetries: 0 });
    const readWith: Record<Dialect, (model: string, content: string) => Promise<unknown>> = {
      chat: async (model, content) =>
        Array.fromAsync(await openai.chat.completions.create({ model, stream: true, messages: [{ role: 'user', content }] })),
      messages: (model, content) =>
        anthropic.messages.stream({ model, max_tokens: 100, messages: [{ role: 'user', content }] }).finalMessage(),
    };
    let raised = 0;
    const count = await eachOf(SDK_PLACES, async place => {
      const { wire } = streams[place.stream]!;
      const error = await readWith[place.dialect](wire, questionOf(place)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      const isWhole = isWholeIn(wire, places.bodyOf(place));
      if (error === undefined) return assert.ok(isWhole, 'a half answer raised nothing');
      assert.ok(!isWhole || place.ending === 'chunked, RST', `a whole answer raised ${error}`);
      raised++;
      const { APIError } = place.dialect === 'chat' ? OpenAI : Anthropic;
      assert.ok(error instanceof APIError, String(error));
    });
    console.log(`${raised} of ${2 * count} raised`);
    assert.ok(raised > count);
  });
});

function assertHonest(place: Place, { status, text, cleanly }: { status: number; text: string; cleanly: boolean }): void {
  const { wire } = streams[place.stream]!;
  const sent = places.bodyOf(place);
  const where = `…${JSON.stringify(sent.slice(-60))} became ${status} …${JSON.stringify(text.slice(-120))}`;
  if (status !== 200) {
    assert.equal(status, 502, where);
    assert.equal(typeof JSON.parse(text).error.code, 'string', where);
    return;
  }
  const events = messagesIn(text);
  const last = events.at(-1)!;
  for (const { data } of events) if (data !== '[DONE]') JSON.parse(data);
  assert.equal(messagesIn(`${text}\n\n`).length, events.length, `an open event: ${where}`);
  const isError = last.data !== '[DONE]' && JSON.parse(last.data).error !== undefined;
  if (isError) assert.ok(!cleanly && !events.some(event => saysEnd(place.dialect, event)), where);
  else assert.ok(cleanly && isWholeIn(wire, sent), `a half answer ends well: ${where}`);
  // What was lost in a reset nobody can tell; a FIN loses nothing.
  if (isWholeIn(wire, sent) && place.ending !== 'chunked, RST') assert.ok(!isError, `a whole answer ends badly: ${where}`);
  assert.equal(isTerminated(text), cleanly, where);
}

const saysEnd = (dialect: Dialect, { data, event }: Message): boolean =>
  data === '[DONE]' ||
  (dialect === 'messages' ? event === 'message_stop' : Boolean(JSON.parse(data).choices?.[0]?.finish_reason));
