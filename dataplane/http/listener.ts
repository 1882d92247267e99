// The HTTP listeners: what node:http must be told on purpose, the bounds of a request, and which path goes where.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { type FailureClass, failures, ok, type Parsed, refuse } from '#core/failure.ts';
import { collector } from '#platform/body.ts';

export type Handler = (req: IncomingMessage, res: ServerResponse, path: string, query: string) => void;

/** A connection that a client wants to use otherwise than for HTTP. */
export type Upgrades = {
  wants(req: IncomingMessage): boolean;
  take(req: IncomingMessage, socket: Socket, head: Buffer): void;
};

export type Listener = {
  readonly port: number;
  /** Stops accepting, has clients leave the connections they have, and resolves when the last request is answered. */
  drain(): Promise<void>;
  /** Ends all connections. */
  close(): void;
};

/** Not imported: an `import` reads every name of the module, and some of these make Node load its own `fetch` and WebSocket, 4 MiB. */
const { createServer } = process.getBuiltinModule('node:http');

/** Node's defaults are for other servers. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 120_000;
const CHECK_INTERVAL_MS = 2_000;
/**
 * For so long a connection of a listener that drains is left idle: a client may be about to ask on it, and loses that request if it is closed
 * just then. What is asked in time is answered, with `connection: close`.
 */
const IDLE_WHILE_DRAINING_MS = 500;
const SWEEP_MS = 50;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * @param keepAliveMs for how long a connection may be idle between two requests
 * @param upgrades absent: what asks for another protocol is answered in this one
 */
export function listen(
  handler: Handler,
  host: string,
  port: number,
  keepAliveMs: number,
  upgrades?: Upgrades,
): Promise<Listener> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      noDelay: true,
      shouldUpgradeCallback: req => upgrades?.wants(req) === true,
    },
    (req, res) => {
      connections.busy(req.socket, res);
      dispatch(handler, req, res);
    },
  );
  const connections = new Connections();
  server.on('connection', socket => connections.add(socket));
  server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    connections.left(socket);
    if (hasTarget(req)) upgrades?.take(req, socket, head);
    else refuseSocket(socket, 'BAD_TARGET');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseSocket(socket, error.code));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve({
        port: (server.address() as AddressInfo).port,
        drain: () =>
          new Promise(done => {
            server.prependListener('request', (_req, res) => {
              res.shouldKeepAlive = false;
            });
            const sweep = setInterval(() => afterArrivals(() => connections.closeIdle(IDLE_WHILE_DRAINING_MS)), SWEEP_MS);
            afterArrivals(() =>
              // Not http's own `close`, which ends idle connections at once.
              NetServer.prototype.close.call(server, () => {
                clearInterval(sweep);
                done();
              }),
            );
          }),
        close: () => server.closeAllConnections(),
      });
    });
  });
}

/**
 * Once what had reached this machine is seen: connections that wait to be accepted, requests that wait to be read. A process that is
 * busy may be far behind, and what it closes unseen is lost to a client. Between two immediates all sockets are looked at.
 */
const afterArrivals = (act: () => void): void => void setImmediate(() => setImmediate(act));

type Line = { lastAnswer: ServerResponse | undefined; idleSince: number | undefined };

/** Which connections are idle, found out when somebody asks: a listener on each answer costs more than it tells (client-response.ts). */
class Connections {
  readonly #lines = new Map<Socket, Line>();

  add(socket: Socket): void {
    this.#lines.set(socket, { lastAnswer: undefined, idleSince: undefined });
    socket.once('close', () => this.#lines.delete(socket));
  }

  /** It speaks otherwise now: whoever took it ends it. */
  left(socket: Socket): void {
    this.#lines.delete(socket);
  }

  /** Until this answer is over, and with it those before it. */
  busy(socket: Socket, answer: ServerResponse): void {
    const line = this.#lines.get(socket);
    if (line) line.lastAnswer = answer;
  }

  /** Closes those that were idle whenever they were looked at in that time. */
  closeIdle(ms: number): void {
    const now = performance.now();
    for (const [socket, line] of this.#lines) {
      const isBusy = line.lastAnswer?.writableFinished === false;
      line.idleSince = isBusy ? undefined : (line.idleSince ?? now);
      if (line.idleSince !== undefined && now - line.idleSince >= ms) socket.destroy();
    }
  }
}

/** A host name or address with an optional port; anything else in Host is an attempt to be read differently by somebody. */
const HOST = /^(?:[a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

function dispatch(handler: Handler, req: IncomingMessage, res: ServerResponse): void {
  const { url = '' } = req;
  if (!hasTarget(req)) return refuseSocket(req.socket, 'BAD_TARGET');
  const mark = url.indexOf('?');
  if (mark < 0) handler(req, res, url, '');
  else handler(req, res, url.slice(0, mark), url.slice(mark + 1));
}

/** Only the origin form names a path of ours; `http://...` and `*` belong to proxies. */
const hasTarget = (req: IncomingMessage): boolean => req.url?.charCodeAt(0) === 0x2f && hasOneHost(req);

/** Node keeps the first of two Host headers; another server behind or before us may keep the last. */
function hasOneHost({ rawHeaders, headers }: IncomingMessage): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]!.length === 4 && rawHeaders[i]!.toLowerCase() === 'host') count++;
  return count === 1 && HOST.test(headers.host ?? '');
}

const socketRefusals: Readonly<Record<string, { status: string; class: FailureClass }>> = {
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', class: 'invalid_request' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', class: 'request_timeout' },
};

/** Answers what never became a request, and closes. */
function refuseSocket(socket: Socket, code = ''): void {
  if (!socket.writable || code === 'ECONNRESET') return void socket.destroy();
  const { status, class: cls } = socketRefusals[code] ?? { status: '400 Bad Request', class: 'invalid_request' as const };
  const { openAI: type, message } = failures[cls];
  const body = JSON.stringify({ error: { message, type, param: null, code: cls } });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  socket.once('finish', () => socket.destroySoon());
}

// ---------------------------------------------------------------- bodies

/** Bytes of request bodies that are being read at this moment, over all connections. */
export type BodyBudget = { held: number; readonly max: number };

/** Reads a body within its own bound and the process's. */
export function readBody(req: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<Parsed<Buffer>> {
  const declared = Number(req.headers['content-length'] ?? 0);
  if (req.headers['content-encoding'] !== undefined && req.headers['content-encoding'] !== 'identity')
    return Promise.resolve(refuse('unsupported_media_type', { message: 'The request body must not be compressed.' }));
  if (declared > maxBytes) return Promise.resolve(tooLarge(maxBytes));
  return new Promise(resolve => {
    const body = collector(maxBytes);
    let held = 0;
    const end = (result: Parsed<Buffer>) => {
      budget.held -= held;
      held = 0;
      req.off('data', onData);
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      held += chunk.length;
      budget.held += chunk.length;
      if (budget.held > budget.max) end(busy());
      else if (!body.add(chunk)) end(tooLarge(maxBytes));
    };
    req.on('data', onData);
    req.on('end', () => end(ok(body.all())));
    req.on('close', () => end(refuse('client_closed')));
  });
}

const tooLarge = (maxBytes: number): Parsed<Buffer> =>
  refuse('body_too_large', { message: `The request body is larger than ${maxBytes} bytes.` });

const busy = (): Parsed<Buffer> =>
  refuse('no_backend', { message: 'The gateway holds as many request bodies as it can.', retryAfter: 1000 as never });
