// The client's side of an answer where the client does not do its part: it does not read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { open } from '#test/support/raw-http.ts';
import { within } from '#test/support/until.ts';
import { ClientResponse } from './client-response.ts';

const STALL_MS = 200;
/** More than the kernel's buffers of both sides take. */
const large = Buffer.alloc(16 * 1024 * 1024, 0x78);

async function serverOf(answer: (client: ClientResponse, res: ServerResponse) => void, stallMs = STALL_MS) {
  const server = createServer((_req, res) => answer(new ClientResponse(res, undefined, stallMs), res)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const endings: Readonly<Record<string, (client: ClientResponse) => void>> = {
  'a whole answer': client => client.whole(200, [], large),
  'a stream that has ended': client => {
    client.startStream([]);
    client.write(large);
    client.endStream();
  },
  'a stream that was broken off': client => {
    client.startStream([]);
    client.write(large);
    client.breakOff('data: {"error":{}}\n\n');
  },
};

for (const [what, end] of Object.entries(endings))
  test(`${what}, and a client that takes nothing of it, is given up`, async () => {
    let closed: Promise<unknown> = Promise.resolve();
    using server = await serverOf((client, res) => {
      closed = once(res.socket as Socket, 'close');
      end(client);
    });
    const socket = await open(server.port);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await new Promise(resolve => setTimeout(resolve, STALL_MS / 2));
    await within(10 * STALL_MS, 'the connection is closed', closed);
    socket.destroy();
  });

test('a client that takes a large answer slowly but steadily gets all of it', async () => {
  // Longer than a busy machine stands still, shorter than the whole takes.
  using server = await serverOf(client => client.whole(200, [], large), 1000);
  const socket = await open(server.port);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let taken = 0;
  socket.on('data', chunk => {
    taken += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  await once(socket, 'close');
  assert.ok(taken > large.length, `${taken} bytes`);
});

test('a wait is never shorter than it was asked for', async () => {
  let told = (_: number) => {};
  const shortest = new Promise<number>(resolve => {
    told = resolve;
  });
  using server = await serverOf(async client => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 100; i++) {
      const from = performance.now();
      await client.stays(3);
      least = Math.min(least, performance.now() - from);
    }
    told(least);
    client.whole(200, [], '');
  });
  const socket = await open(server.port);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const least = await within(10_000, 'a hundred waits', shortest);
  socket.destroy();
  assert.ok(least >= 3, `${least} ms`);
});
