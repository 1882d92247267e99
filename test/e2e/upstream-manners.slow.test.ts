// Upstreams whose bytes come in unusual ways: too slowly, in crumbs, in lines of a MiB, packed. What is right is passed on right, what is
// too much ends in time and in bounded memory.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { chat, chatPath, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type Play, type RawUpstream, startRawUpstream } from '#test/support/raw-upstream.ts';
import type { Wire } from '#test/support/relays.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { answerText, isTerminated, messagesIn } from '#test/support/sse.ts';
import { openStream } from '#test/support/streaming.ts';
import { within } from '#test/support/until.ts';
import { chunk, head, LAST_CHUNK } from '#test/support/wire-faults.ts';
import {
  anthropicReply,
  anthropicStream,
  openaiReply,
  openaiStream,
  type ScriptedStream,
  wholeStream,
} from '#test/support/wires.ts';

const streams: Readonly<Record<Wire, ScriptedStream>> = { openai: openaiStream, anthropic: anthropicStream };
const replies = { openai: openaiReply, anthropic: anthropicReply } as const;
const wires = ['openai', 'anthropic'] as const;
const linux = process.platform === 'linux';

const events = { 'content-type': 'text/event-stream', connection: 'close' };
const eventsHead = head('200 OK', { ...events, 'transfer-encoding': 'chunked' });
const MiB = 1024 * 1024;

let play: Play;
let upstream: RawUpstream;
let gateway: Gateway;

before(async () => {
  upstream = await startRawUpstream(asked => play(asked));
  const timeouts = { firstToken: '1500ms', streamIdle: '1500ms', request: '60s' };
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('oa', 'OpenAI', upstream.url, ['openai'], { timeouts, circuitBreaker: { consecutiveFailures: 1000 } }),
      provider('an', 'Anthropic', upstream.url, ['anthropic'], { timeouts, circuitBreaker: { consecutiveFailures: 1000 } }),
      route('openai', 'openai', ['oa'], { retries: { attempts: 0 } }),
      route('anthropic', 'anthropic', ['an'], { retries: { attempts: 0 } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

const dialects = ['chat', 'messages'] as const;
type Dialect = (typeof dialects)[number];

async function stream(wire: Wire, dialect: Dialect = 'chat') {
  const body = dialect === 'chat' ? chat(wire, { stream: true, max_tokens: 9 }) : message(wire, { stream: true });
  const opened = await openStream(gateway.url + (dialect === 'chat' ? chatPath : messagesPath), body);
  return { status: opened.status, ...(await within(60_000, 'the end of the answer', opened.ended)) };
}

const codeIn = (text: string): string => JSON.parse(text.startsWith('{') ? text : messagesIn(text).at(-1)!.data).error.code;

/** Writes so slowly that the socket has sent each piece by itself; stops when nobody reads. */
const dripping =
  (pieces: () => Iterable<string | Buffer>, pauseMs: number): Play =>
  async ({ socket }) => {
    socket.setNoDelay(true);
    for (const piece of pieces()) {
      if (socket.destroyed) return;
      await new Promise(resolve => socket.write(piece, resolve));
      await delay(pauseMs);
    }
    socket.end();
  };

const bytesOf = (text: string): Buffer[] => [...Buffer.from(text)].map(byte => Buffer.from([byte]));

describe('an upstream that sends a byte now and then', () => {
  const whole = wholeStream(openaiStream, 'One', ' two');

  test('has no more time for its first token than one that is silent: its head', async () => {
    play = dripping(() => bytesOf(head('200 OK', { ...events, 'x-padding': 'a'.repeat(500) }) + whole), 100);
    const { status, text } = await stream('openai');
    assert.deepEqual([status, codeIn(text)], [504, 'first_token_timeout']);
  });

  test('has no more time for its first token than one that is silent: its frames', async () => {
    play = dripping(() => [eventsHead, ...bytesOf(openaiStream.opening + whole).map(chunk)], 100);
    const { status, text } = await stream('openai');
    assert.deepEqual([status, codeIn(text)], [504, 'first_token_timeout']);
  });

  test('stands still, for its client, when no event is complete for too long', async () => {
    const begun = chunk(openaiStream.opening + openaiStream.content('One'));
    play = dripping(() => [eventsHead, begun, ...bytesOf(openaiStream.content(' two'.repeat(100))).map(chunk)], 100);
    const { status, text, cleanly } = await stream('openai');
    assert.deepEqual([status, codeIn(text), cleanly], [200, 'stream_idle_timeout', false]);
    assert.match(text, /One/);
  });

  test('is heard to its end when each event comes in time', async () => {
    const { opening, content, ending } = openaiStream;
    play = dripping(
      () => [eventsHead, ...[opening, content('One'), content(' two'), content(' three'), ending].map(chunk), LAST_CHUNK],
      700,
    );
    const { text, cleanly } = await stream('openai');
    assert.ok(cleanly);
    assert.equal(answerText(text), 'One two three');
  });
});

describe('lines', () => {
  for (const wire of wires)
    for (const dialect of dialects)
      test(`of 1 MiB reach the client whole (${wire} for ${dialect})`, async () => {
        const long = 'ä'.repeat(MiB / 2);
        play = ({ socket }) =>
          void socket.end(
            Buffer.concat([
              Buffer.from(eventsHead),
              chunk(wholeStream(streams[wire], 'So: ', long, '.')),
              Buffer.from(LAST_CHUNK),
            ]),
          );
        const { status, text, cleanly } = await stream(wire, dialect);
        assert.equal(status, 200);
        assert.ok(cleanly && isTerminated(text));
        assert.equal(answerText(text), `So: ${long}.`);
      });

  test('without an end are an error, in bounded memory', { skip: !linux && 'reads /proc' }, async () => {
    const piece = chunk('a'.repeat(64 * 1024));
    let written = 0;
    play = async ({ socket }) => {
      socket.write(Buffer.concat([Buffer.from(eventsHead), chunk(openaiStream.opening + openaiStream.content('One'))]));
      socket.write(chunk('data: '));
      for (; !socket.destroyed && written < 200 * MiB; written += piece.length)
        await new Promise(resolve => socket.write(piece, resolve));
      socket.end();
    };
    const before = gateway.rssMiB();
    const { text, cleanly } = await stream('openai');
    const grown = gateway.rssMiB() - before;
    console.log(`${(written / MiB).toFixed(0)} MiB of one line were taken, the gateway grew by ${grown.toFixed(0)} MiB`);
    assert.deepEqual([codeIn(text), cleanly], ['upstream_bad_response', false]);
    assert.ok(written < 40 * MiB, `${written}`);
    assert.ok(grown < 100, `${grown} MiB`);
  });
});

describe('crumbs', () => {
  test('100,000 chunks of a byte are one answer, and nobody waits for it', async () => {
    const words = Array.from({ length: 650 }, (_, i) => ` word ${i}`);
    const body = wholeStream(openaiStream, ...words);
    const bytes = Buffer.concat([Buffer.from(eventsHead), ...bytesOf(body).map(chunk), Buffer.from(LAST_CHUNK)]);
    assert.ok(body.length > 100_000, `${body.length}`);
    play = ({ socket }) => void socket.end(bytes);
    const answer = stream('openai');
    const started = performance.now();
    let longest = 0;
    let isOver = false;
    void answer.then(() => {
      isOver = true;
    });
    do {
      const asked = performance.now();
      assert.equal((await post(gateway.url + chatPath, chat('no-such-model'))).status, 404);
      longest = Math.max(longest, performance.now() - asked);
    } while (!isOver);
    const { text, cleanly } = await answer;
    assert.ok(cleanly);
    assert.equal(answerText(text), words.join(''));
    console.log(
      `${body.length} chunks of a byte took ${(performance.now() - started).toFixed(0)} ms, a request beside them ${longest.toFixed(0)} ms at most`,
    );
    assert.ok(longest < 2000);
  });

  for (const wire of wires)
    for (const [name, line] of [
      ['LF', '\n'],
      ['CR', '\r'],
      ['CR LF', '\r\n'],
    ] as const)
      for (const mark of ['', '\ufeff'])
        test(`each byte by itself, lines end with ${name}${mark && ', after a byte order mark'} (${wire})`, async () => {
          const body = mark + wholeStream(streams[wire], 'Grüße', ' 世界', ' \u{1f600}').replaceAll('\n', line);
          play = async ({ socket }) => {
            socket.setNoDelay(true);
            socket.write(eventsHead);
            for (const byte of bytesOf(body))
              await new Promise(resolve => socket.write(chunk(byte), () => setImmediate(resolve)));
            socket.end(LAST_CHUNK);
          };
          for (const dialect of dialects) {
            const { status, text, cleanly } = await stream(wire, dialect);
            assert.equal(status, 200, text);
            assert.ok(cleanly && isTerminated(text), text.slice(-300));
            assert.equal(answerText(text), 'Grüße 世界 \u{1f600}');
          }
        });
});

describe('what comes before the answer', () => {
  for (const wire of wires)
    test(`a thousand informational heads, comments and blank lines are no answer and no harm (${wire})`, async () => {
      const hints = head('103 Early Hints', { link: '</style.css>; rel=preload' }).repeat(1000);
      play = ({ socket }) =>
        void socket.end(
          Buffer.concat([
            Buffer.from(hints + eventsHead),
            chunk(': OPENROUTER PROCESSING\n\n'.repeat(100)),
            chunk('\n\n\n\n'),
            chunk(wholeStream(streams[wire], 'One', ' two')),
            Buffer.from(LAST_CHUNK),
          ]),
        );
      const { text } = await stream(wire);
      assert.equal(answerText(text), 'One two');
    });

  test('blank lines before a whole answer, as a provider sends them while it waits, are no part of it', async () => {
    for (const wire of wires) {
      const body = JSON.stringify(replies[wire]('One two'));
      play = dripping(
        () => [
          head('200 OK', { 'content-type': 'application/json', 'transfer-encoding': 'chunked', connection: 'close' }),
          ...Array<Buffer>(5).fill(chunk('\n')),
          chunk(body),
          LAST_CHUNK,
        ],
        50,
      );
      const { status, json } = await post(gateway.url + chatPath, chat(wire, { max_tokens: 9 }));
      assert.equal(status, 200);
      assert.equal(json().choices[0].message.content, 'One two');
    }
  });

  test('a head of a MiB is refused', async () => {
    play = ({ socket }) =>
      void socket.end(head('200 OK', { ...events, 'x-long': 'a'.repeat(MiB) }) + wholeStream(openaiStream, 'One'));
    const { status } = await stream('openai');
    assert.equal(status, 502);
  });
});

describe('what was said twice', () => {
  for (const dialect of dialects)
    test(`message_start of the same message counts once (${dialect})`, async () => {
      const [start] = anthropicStream.opening.split(/(?<=\n\n)/);
      play = ({ socket }) => void socket.end(head('200 OK', events) + start + wholeStream(anthropicStream, 'One', ' two'));
      const { text, cleanly } = await stream('anthropic', dialect);
      assert.ok(cleanly && isTerminated(text), text);
      assert.equal(answerText(text), 'One two');
    });
});

describe('packed answers', () => {
  test('that unpack to 200 MiB are an error, in bounded memory', { skip: !linux && 'reads /proc' }, async () => {
    const packed = gzipSync(Buffer.alloc(200 * MiB, 0x20));
    const sent = (type: string) =>
      head('200 OK', {
        'content-type': type,
        'content-encoding': 'gzip',
        'content-length': String(packed.length),
        connection: 'close',
      });
    for (const streamed of [true, false]) {
      play = ({ socket }) => {
        socket.write(sent(streamed ? 'text/event-stream' : 'application/json'));
        socket.end(packed);
      };
      const before = gateway.rssMiB();
      const { status, text } = await within(
        30_000,
        'an answer',
        post(gateway.url + chatPath, chat('openai', { stream: streamed })),
      );
      const grown = gateway.rssMiB() - before;
      console.log(`${packed.length} bytes that unpack to 200 MiB: the gateway grew by ${grown.toFixed(0)} MiB`);
      assert.deepEqual([status, codeIn(text)], [502, 'upstream_bad_response']);
      assert.ok(grown < 250, `${grown} MiB`);
    }
  });
});
