// An upstream's answer that is cut at any byte, from its first line to its last chunk, by FIN and by RST, seen by clients of the real
// process: no half answer ends like a whole one, no event is broken, and the SDKs raise. Every k-th place; all of them with
// TOLLGATE_SOAK=1. TOLLGATE_SEED=17 repeats the places of a run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { chat, chatPath, message, messagesPath } from '#test/support/client.ts';
import { isWholeIn } from '#test/support/cuts.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type RawAsked, type RawUpstream, startRawUpstream } from '#test/support/raw-upstream.ts';
import { recordedStreams, shortened } from '#test/support/recorded-streams.ts';
import type { Wire } from '#test/support/relays.ts';
import { clientKey, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { isTerminated, type Message, messagesIn } from '#test/support/sse.ts';
import { openStream } from '#test/support/streaming.ts';
import { within } from '#test/support/until.ts';
import { chunk, head, LAST_CHUNK } from '#test/support/wire-faults.ts';
import { anthropicStream, openaiStream, wholeStream } from '#test/support/wires.ts';

const SOAK = process.env.TOLLGATE_SOAK !== undefined;
/** Requests of a short run. */
const PLACES = 4000;
const SDK_PLACES = SOAK ? 4000 : 300;
const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1e6));

/** How the connection ends. `until-close`: a body without a length, of which HTTP takes a FIN for its end. */
const endings = ['chunked, FIN', 'chunked, RST', 'until-close, FIN'] as const;
type Ending = (typeof endings)[number];
type Dialect = 'chat' | 'messages';

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

/** All bytes of the answer, and for each count of them the bytes of the body that are in there. */
type Answer = { readonly bytes: Buffer; readonly bodyAt: (offset: number) => string };

function answerOf(body: string, ending: Ending): Answer {
  const type = { 'content-type': 'text/event-stream' };
  if (ending === 'until-close, FIN') {
    const start = head('200 OK', { ...type, connection: 'close' });
    const bytes = Buffer.from(start + body);
    return { bytes, bodyAt: offset => bytes.subarray(start.length, offset).toString() };
  }
  const start = head('200 OK', { ...type, 'transfer-encoding': 'chunked' });
  // Chunks end where frames do not.
  const pieces = body.match(/[\s\S]{1,97}/gu) ?? [];
  const bytes = Buffer.concat([Buffer.from(start), ...pieces.map(chunk), Buffer.from(LAST_CHUNK)]);
  const bodyAt = (offset: number): string => {
    let at = start.length;
    let text = '';
    for (const piece of pieces) {
      const size = Buffer.byteLength(piece);
      const from = at + `${size.toString(16)}\r\n`.length;
      at = from + size + 2;
      text += Buffer.from(piece)
        .subarray(0, Math.max(0, offset - from))
        .toString();
    }
    return text;
  };
  return { bytes, bodyAt };
}

const answers: ReadonlyMap<string, Answer> = new Map(
  streams.flatMap((stream, i) => endings.map(ending => [`${i} ${ending}`, answerOf(stream.body, ending)] as const)),
);

type Place = { readonly stream: number; readonly ending: Ending; readonly offset: number; readonly dialect: Dialect };

/** Every place of every stream, in each manner, by both dialects: numbered, so that every k-th can be taken. */
function* places(): Generator<Place> {
  for (const stream of streams.keys())
    for (const ending of endings)
      for (let offset = 0; offset < answers.get(`${stream} ${ending}`)!.bytes.length; offset++)
        for (const dialect of ['chat', 'messages'] as const) yield { stream, ending, offset, dialect };
}
const TOTAL = places().reduce(count => count + 1, 0);

/** Every k-th, from a place that the seed says. k is odd, so that both dialects are met. */
function* everyOf(count: number): Generator<Place> {
  const k = count >= TOTAL ? 1 : Math.ceil(TOTAL / count) | 1;
  let i = seed % k;
  for (const place of places()) {
    if (i === 0) yield place;
    i = (i + 1) % k;
  }
}

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

const questionOf = ({ stream, ending, offset }: Omit<Place, 'dialect'>): string => `${stream};${ending};${offset}`;

/** The place stands in the question. */
async function cut({ socket, body }: RawAsked): Promise<void> {
  const [, stream, ending, offset] = /(\d+);([^;"]+);(\d+)/.exec(body)!;
  const { bytes } = answers.get(`${stream} ${ending}`)!;
  await new Promise<void>(resolve => socket.write(bytes.subarray(0, Number(offset)), () => resolve()));
  if (ending !== 'chunked, RST') return void socket.end();
  // A reset may overtake what was sent before it.
  await delay(5);
  socket.resetAndDestroy();
}

async function eachOf(some: Iterable<Place>, run: (place: Place) => Promise<void>): Promise<number> {
  const left = some[Symbol.iterator]();
  let count = 0;
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) {
      count++;
      await within(30_000, `an answer (${JSON.stringify(next.value)})`, run(next.value)).catch(error => {
        throw new Error(`${streams[next.value.stream]!.name}, ${JSON.stringify(next.value)}, seed ${seed}: ${error.message}`, {
          cause: error,
        });
      });
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  return count;
}

describe('an answer that is cut at any byte', () => {
  test('never ends as a whole one does, and never with half an event', async () => {
    const started = performance.now();
    const count = await eachOf(SOAK ? places() : everyOf(PLACES), async place => {
      const { wire } = streams[place.stream]!;
      const model = { stream: true, messages: [{ role: 'user', content: questionOf(place) }] };
      const opened = await openStream(
        gateway.url + (place.dialect === 'chat' ? chatPath : messagesPath),
        place.dialect === 'chat' ? chat(wire, model) : message(wire, model),
      );
      const { text, cleanly } = await opened.ended;
      assertHonest(place, { status: opened.status, text, cleanly });
    });
    console.log(`${count} of ${TOTAL} places, seed ${seed}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
    assert.ok(count >= Math.min(PLACES / 3, TOTAL));
  });

  test('raises in the SDKs, or is whole', async () => {
    const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey, maxRetries: 0 });
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: clientKey, maxRetries: 0 });
    const readWith: Record<Dialect, (model: string, content: string) => Promise<unknown>> = {
      chat: async (model, content) =>
        Array.fromAsync(await openai.chat.completions.create({ model, stream: true, messages: [{ role: 'user', content }] })),
      messages: (model, content) =>
        anthropic.messages.stream({ model, max_tokens: 100, messages: [{ role: 'user', content }] }).done(),
    };
    let raised = 0;
    const count = await eachOf(everyOf(SDK_PLACES), async place => {
      const { wire } = streams[place.stream]!;
      const error = await readWith[place.dialect](wire, questionOf(place)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) return assert.ok(isWholeIn(wire, bodyOf(place)), 'a half answer raised nothing');
      raised++;
      const { APIError } = place.dialect === 'chat' ? OpenAI : Anthropic;
      assert.ok(error instanceof APIError, String(error));
    });
    console.log(`${raised} of ${count} raised`);
    assert.ok(raised > count / 2);
  });
});

const bodyOf = ({ stream, ending, offset }: Place): string => answers.get(`${stream} ${ending}`)!.bodyAt(offset);

function assertHonest(place: Place, { status, text, cleanly }: { status: number; text: string; cleanly: boolean }): void {
  const { wire } = streams[place.stream]!;
  const sent = bodyOf(place);
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
  if (isTerminated(text)) assert.ok(cleanly, where);
}

const saysEnd = (dialect: Dialect, { data, event }: Message): boolean =>
  data === '[DONE]' ||
  (dialect === 'messages' ? event === 'message_stop' : Boolean(JSON.parse(data).choices?.[0]?.finish_reason));
