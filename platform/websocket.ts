// WebSockets (RFC 6455) of both sides, without compression: connections to others, with every address checked that is dialled, and those of
// clients. Sockets are handed over paused, so that nothing that comes at once is lost. The library is loaded with the first of them.
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { collector } from './body.ts';
import type { HttpError, HttpHeaders } from './http-client.ts';

export type Dial = {
  /** `wss://host/path?query`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly protocols: readonly string[];
  readonly connectTimeoutMs: number;
};

export type Dialled =
  | { readonly kind: 'open'; readonly socket: WebSocket }
  /** It answered, and not with a WebSocket. */
  | { readonly kind: 'refused'; readonly status: number; readonly headers: HttpHeaders; readonly body: string }
  | { readonly kind: 'failed'; readonly error: HttpError };

export type AddressCheck = {
  readonly lookup: LookupFunction;
  readonly isForbiddenLiteral: (origin: string) => boolean;
};

/** A message of this size, in either direction, ends its connection. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const REFUSAL_BYTES_MAX = 64 * 1024;

export async function dial(
  { url, headers, protocols, connectTimeoutMs }: Dial,
  { lookup, isForbiddenLiteral }: AddressCheck,
): Promise<Dialled> {
  if (isForbiddenLiteral(url.replace(/^ws/, 'http')))
    return { kind: 'failed', error: { kind: 'forbidden-address', code: 'FORBIDDEN_ADDRESS' } };
  const { WebSocket } = await import('ws');
  return new Promise(resolve => {
    const socket = new WebSocket(url, [...protocols], {
      headers: { ...headers },
      handshakeTimeout: connectTimeoutMs,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      followRedirects: false,
      lookup,
    });
    socket.once('open', () => {
      socket.pause();
      resolve({ kind: 'open', socket });
    });
    socket.once('unexpected-response', (request, response) => {
      void refusal(response).then(told => {
        request.destroy();
        resolve(told);
      });
    });
    socket.on('error', error => resolve({ kind: 'failed', error: errorOf(error) }));
  });
}

async function refusal(response: IncomingMessage): Promise<Dialled> {
  const body = collector(REFUSAL_BYTES_MAX);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) if (!body.add(chunk)) break;
  } catch {
    // What its status says holds whatever becomes of its body.
  }
  return { kind: 'refused', status: response.statusCode ?? 0, headers: response.headers, body: body.all().toString() };
}

function errorOf(error: Error & { code?: string }): HttpError {
  const code = error.code ?? error.name;
  if (code === 'FORBIDDEN_ADDRESS') return { kind: 'forbidden-address', code };
  return { kind: /handshake has timed out/.test(error.message) ? 'connect-timeout' : 'connect', code };
}

export type Accepting = {
  readonly req: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** One of those that the client offered; undefined: none. */
  readonly protocol: string | undefined;
  /** Of the answer, `name: value` each. */
  readonly headers: readonly string[];
};

/** @returns undefined: the client has left */
export async function accept({ req, socket, head, protocol, headers }: Accepting): Promise<WebSocket | undefined> {
  const left = new Promise<undefined>(resolve => void socket.once('close', () => resolve(undefined)));
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: () => protocol ?? false,
  });
  server.on('headers', all => all.push(...headers));
  const accepted = new Promise<WebSocket>(resolve => {
    server.handleUpgrade(req, socket, head, client => {
      client.pause();
      resolve(client);
    });
  });
  return Promise.race([accepted, left]);
}

export type { WebSocket } from 'ws';
