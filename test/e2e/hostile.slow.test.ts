// Hostile clients whose harm takes time: slowloris against the header and body timeouts, heartbeats of long silences, and the full
// number of idle connections (TOLLGATE_SOAK=1).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, chatPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { open } from '#test/support/raw-http.ts';
import { clientKey, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { openStream } from '#test/support/streaming.ts';
import { within } from '#test/support/until.ts';
import { startUpstream, type Upstream } from '#test/support/upstream.ts';
import { openaiStream } from '#test/support/wires.ts';

const SOAK = process.env.TOLLGATE_SOAK !== undefined;
/** Node closes slow requests in rounds of up to 30 s after their time is over. */
const SLOWLORIS_DEADLINE_MS = 120_000;
const IDLE_CONNECTIONS = SOAK ? 10_000 : 4000;

let upstream: Upstream;
let gateway: Gateway;
let release = () => {};

before(async () => {
  upstream = await startUpstream(async response => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(openaiStream.opening + openaiStream.content('first'));
    await new Promise<void>(resolve => {
      release = resolve;
    });
    response.end(openaiStream.content('last') + openaiStream.ending);
  });
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      provider('oa', 'OpenAI', upstream.url, ['gpt'], { timeouts: { streamIdle: '120s' } }),
      route('gpt', 'gpt', ['oa'], { timeouts: { streamIdle: '120s' } }),
      tenantKey(),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

describe('time', { concurrency: true }, () => {
  test('a client that never finishes its headers is cut off', { timeout: SLOWLORIS_DEADLINE_MS }, async () => {
    const took = await timeToClose(`POST ${chatPath} HTTP/1.1\r\nHost: a\r\n`, 'X-Slow: a\r\n');
    console.log(`slow headers were cut off after ${(took / 1000).toFixed(1)} s`);
  });

  test('a client that never finishes its body is cut off', {
    timeout: SLOWLORIS_DEADLINE_MS * 4,
    skip: !SOAK && 'takes minutes: npm run soak',
  }, async () => {
    const head = `POST ${chatPath} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${clientKey}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`;
    const took = await timeToClose(head, ' ', SLOWLORIS_DEADLINE_MS * 4);
    console.log(`a slow body was cut off after ${(took / 1000).toFixed(1)} s`);
  });

  test('a stream that pauses carries a comment at least every 15 s, and its answer stays whole', {
    timeout: 60_000,
  }, async () => {
    const stream = await openStream(gateway.url + chatPath, chat('gpt', { stream: true }));
    await stream.waitFor(/first/);
    const silentFrom = performance.now();
    await within(16_500, 'a heartbeat', stream.waitFor(/^:[^\n]*\n\n/m));
    console.log(`the first heartbeat came after ${((performance.now() - silentFrom) / 1000).toFixed(1)} s`);
    release();
    const { text } = await stream.ended;
    assert.ok(text.endsWith('data: [DONE]\n\n'));
    assert.match(text, /last/);
  });
});

test(`${IDLE_CONNECTIONS} idle connections leave others served`, {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async () => {
  const before = gateway.rssMiB();
  const sockets = [];
  try {
    for (let opened = 0; opened < IDLE_CONNECTIONS; opened += 250)
      sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => open(gateway.port)))));
    const started = performance.now();
    assert.equal((await post(gateway.url + chatPath, chat('no-such-model'))).status, 404);
    console.log(
      `${sockets.length} idle connections: ${before.toFixed(0)} -> ${gateway.rssMiB().toFixed(0)} MiB, a request beside them took ${(performance.now() - started).toFixed(0)} ms`,
    );
    assert.ok(gateway.rssMiB() < 700);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

/** Milliseconds until the gateway closes a connection on which one more piece is sent every second. */
async function timeToClose(start: string, piece: string, deadlineMs = SLOWLORIS_DEADLINE_MS): Promise<number> {
  const socket = await open(gateway.port);
  const opened = performance.now();
  socket.resume();
  socket.write(start);
  const drip = setInterval(() => socket.write(piece), 1000);
  try {
    await within(deadlineMs, 'the connection is closed', new Promise(resolve => socket.on('close', resolve)));
    return performance.now() - opened;
  } finally {
    clearInterval(drip);
    socket.destroy();
  }
}
