// HTTP by hand over a socket: for requests that no well-behaved client would send.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type RawAnswer = { readonly status: number; readonly head: string; readonly body: string; readonly closed: boolean };

/** Sends the bytes and waits for the peer to close, or for one whole answer with a Content-Length. */
export async function exchange(port: number, bytes: string | Buffer, deadlineMs = 10_000): Promise<RawAnswer> {
  const socket = await open(port);
  socket.write(bytes);
  try {
    return await firstAnswer(socket, deadlineMs);
  } finally {
    socket.destroy();
  }
}

export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** `closed`: the peer ended the connection after it. Status 0: it closed without a word. */
export function firstAnswer(socket: Socket, deadlineMs: number): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(
      () => reject(new Error(`no whole answer within ${deadlineMs} ms; so far: ${text.slice(0, 500)}`)),
      deadlineMs,
    );
    const done = (closed: boolean) => {
      clearTimeout(timer);
      resolve({ ...parsed(text), closed });
    };
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      // Where the answer says it is the last one of the connection, the close is waited for: it is part of what is asserted.
      if (isWhole(text) && !/^connection: close\r$/im.test(text)) done(false);
    });
    socket.on('close', () => done(true));
  });
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /^content-length: (\d+)\r$/im.exec(text.slice(0, end + 1))?.[1];
  return length !== undefined && text.length >= end + 4 + Number(length);
}

function parsed(text: string): { status: number; head: string; body: string } {
  const end = text.indexOf('\r\n\r\n');
  const head = end < 0 ? text : text.slice(0, end);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: end < 0 ? '' : text.slice(end + 4) };
}
