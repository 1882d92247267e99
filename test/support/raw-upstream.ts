// An upstream on a bare TCP or TLS socket: it reads whole requests, and every byte of the answer, its head and framing included, is
// the test's. For what Node's own HTTP server would never send.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificate } from './certificate.ts';

export type RawAsked = {
  readonly path: string;
  readonly body: string;
  readonly socket: Socket;
  /** Requests on this connection so far, this one included. */
  readonly turn: number;
  /** `performance.now()` when all of it was there. */
  readonly at: number;
};

export type Play = (asked: RawAsked) => void | Promise<void>;

export type RawUpstream = {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
};

export const startRawUpstream = (play: Play, certificate?: Certificate): Promise<RawUpstream> =>
  startPort(socket => readRequests(socket, play), certificate);

/** Each connection as it is. */
export async function startPort(connected: (socket: Socket) => void, certificate?: Certificate): Promise<RawUpstream> {
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    connected(socket);
  };
  const server = certificate ? createTlsServer({ ...certificate }, accept) : createServer(accept);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function readRequests(socket: Socket, play: Play): void {
  let bytes = Buffer.alloc(0);
  let turn = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = bytes.subarray(0, headEnd).toString('latin1');
    const end = headEnd + 4 + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (bytes.length < end) return;
    const body = bytes.subarray(headEnd + 4, end).toString();
    bytes = bytes.subarray(end);
    turn++;
    void play({ path: head.split(' ', 2)[1] ?? '', body, socket, turn, at: performance.now() });
  });
}
