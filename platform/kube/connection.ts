// HTTP to one API server: HTTP/2 where the server speaks it, so that all watches share one connection whose life is checked by PING,
// as client-go does. A connection that is half open (its peer vanished, a middlebox forgot it) is otherwise silent for minutes.
import type { Socket } from 'node:net';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import type { Cluster, Credentials, TlsOptions } from './cluster.ts';
import { errorOf, KubeError, type Status } from './errors.ts';

export type KubeRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Default: application/json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** Asked when the request is about to leave, which may be long after it was made: a connection may have to be opened first. */
  readonly mayLeave?: (() => boolean) | undefined;
};

/** One answer of the API server, or the failure to get one, for metrics. */
export type RequestSeen = {
  readonly method: string;
  readonly host: string;
  /** The HTTP status, or `<error>`, as client-go has it. */
  readonly code: string;
  readonly seconds: number;
};

export type Connection = {
  /** Resolves with a successful answer's JSON; rejects with a `KubeError`. */
  call<T>(request: KubeRequest): Promise<T>;
  /** The same, but the answer goes on for as long as the server wants, a chunk at a time. */
  stream(request: KubeRequest): Promise<AsyncIterable<Buffer>>;
  close(): Promise<void>;
};

export type ConnectionOptions = {
  readonly userAgent: string;
  readonly onRequest?: (seen: RequestSeen) => void;
};

const CALL_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;
const PING_EVERY_MS = 1_000;
/** Without a PING answered for this long, a connection is given up. */
const SILENCE_MS = 3_500;
/** Service account tokens are replaced when 80 % of an hour is over; client-go looks every minute, too. */
const CREDENTIALS_FOR_MS = 60_000;

export function connectTo(cluster: Cluster, options: ConnectionOptions): Connection {
  return new KubeConnection(cluster, options);
}

class KubeConnection implements Connection {
  readonly #cluster: Cluster;
  readonly #options: ConnectionOptions;
  #pool: { readonly pool: Dispatcher; readonly tls: TlsOptions } | undefined;
  #credentials: { readonly value: Promise<Credentials>; readonly until: number } | undefined;

  constructor(cluster: Cluster, options: ConnectionOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  async call<T>(request: KubeRequest): Promise<T> {
    const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
    const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
    const { body } = await this.#send({ ...request, signal });
    try {
      return (await body.json()) as T;
    } catch (error) {
      throw unreachable(request, error);
    }
  }

  async stream(request: KubeRequest): Promise<AsyncIterable<Buffer>> {
    const { body } = await this.#send(request);
    return failingAsUnreachable(body, request);
  }

  async close(): Promise<void> {
    await this.#pool?.pool.destroy();
  }

  async #send(request: KubeRequest) {
    const started = performance.now();
    const { method, path, signal } = request;
    const seen = (code: string): void => {
      const seconds = (performance.now() - started) / 1000;
      this.#options.onRequest?.({ method, host: this.#cluster.server.host, code, seconds });
    };
    try {
      const { tls, headers } = await this.#currentCredentials();
      const answer = await this.#poolWith(tls).request({
        method,
        path: `${this.#cluster.server.pathname.replace(/\/$/, '')}${path}`,
        headers: {
          accept: 'application/json',
          'user-agent': this.#options.userAgent,
          ...(request.body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
          ...headers,
        },
        body: request.body === undefined ? null : JSON.stringify(request.body),
        headersTimeout: CALL_TIMEOUT_MS,
        bodyTimeout: 0,
        signal: signal ?? null,
        mayLeave: request.mayLeave,
      } as Dispatcher.RequestOptions);
      seen(String(answer.statusCode));
      if (answer.statusCode < 400) return answer;
      if (answer.statusCode === 401) this.#credentials = undefined;
      const retryAfter = answer.headers['retry-after'];
      throw errorOf(answer.statusCode, statusIn(await answer.body.text()), String(retryAfter ?? '') || undefined);
    } catch (error) {
      if (error instanceof KubeError) throw error;
      seen('<error>');
      throw unreachable(request, error);
    }
  }

  #currentCredentials(): Promise<Credentials> {
    const now = performance.now();
    if (!this.#credentials || now > this.#credentials.until) {
      const value = this.#cluster.credentials();
      this.#credentials = { value, until: now + CREDENTIALS_FOR_MS };
      value.catch(() => {
        this.#credentials = undefined;
      });
    }
    return this.#credentials.value;
  }

  /** Client certificates are of a connection: others need a new one. What is under way on the old one ends as it may. */
  #poolWith(tls: TlsOptions): Dispatcher {
    if (this.#pool && sameTls(this.#pool.tls, tls)) return this.#pool.pool;
    this.#pool?.pool.close().catch(() => {});
    this.#pool = { pool: newPool(this.#cluster.server.origin, tls), tls };
    return this.#pool.pool;
  }
}

function newPool(origin: string, tls: TlsOptions): Dispatcher {
  const pool = new Pool(origin, {
    allowH2: true,
    h2Options: { pingInterval: PING_EVERY_MS, maxConcurrentStreams: 200 },
    factory: (of, options) => watchedClient(of, options as Client.Options, tls),
  });
  return pool.compose(checkedAtTheDoor);
}

const checkedAtTheDoor: Dispatcher.DispatcherComposeInterceptor = dispatch => (options, handler) => {
  const { mayLeave } = options as { mayLeave?: () => boolean };
  return dispatch(options, mayLeave ? withDoor(handler, mayLeave) : handler);
};

const withDoor = (handler: Dispatcher.DispatchHandler, mayLeave: () => boolean): Dispatcher.DispatchHandler => ({
  onRequestStart(controller, context) {
    if (mayLeave()) handler.onRequestStart?.(controller, context);
    else controller.abort(new Error('may not be sent any more'));
  },
  onRequestUpgrade: (...of) => handler.onRequestUpgrade?.(...of),
  onResponseStart: (...of) => handler.onResponseStart?.(...of),
  onResponseData: (...of) => handler.onResponseData?.(...of),
  onResponseEnd: (...of) => handler.onResponseEnd?.(...of),
  onResponseError: (...of) => handler.onResponseError?.(...of),
});

function watchedClient(origin: URL, options: Client.Options, tls: TlsOptions): Client {
  const connect = buildConnector({ ...tls, allowH2: true, timeout: CONNECT_TIMEOUT_MS });
  let answered = (): void => {};
  const client = new Client(origin, {
    ...options,
    connect: (to, done) =>
      connect(to, (...outcome) => {
        const [, socket] = outcome;
        if (socket && (socket as { alpnProtocol?: unknown }).alpnProtocol === 'h2') answered = endWhenSilent(socket);
        done(...outcome);
      }),
  });
  // Its types leave out this one of its documented events.
  (client as unknown as NodeJS.EventEmitter).on('ping', () => answered());
  return client;
}

/** @returns to be called with each sign of life */
function endWhenSilent(socket: Socket): () => void {
  let heardAt = performance.now();
  let lookedAt = heardAt;
  const timer = setInterval(() => {
    const now = performance.now();
    // A process that stood still itself has not listened.
    if (now - lookedAt > 2 * PING_EVERY_MS) heardAt = now;
    lookedAt = now;
    if (now - heardAt > SILENCE_MS) socket.destroy(new Error(`no answer to a PING for ${SILENCE_MS} ms`));
  }, PING_EVERY_MS / 2).unref();
  socket.once('close', () => clearInterval(timer));
  return () => {
    heardAt = performance.now();
  };
}

async function* failingAsUnreachable(body: AsyncIterable<Buffer>, request: KubeRequest): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw unreachable(request, error);
  }
}

/** The path without its query: selectors and tokens are nobody's business. */
function unreachable({ method, path }: KubeRequest, error: unknown): KubeError {
  const { message, code } = error as Error & { code?: string };
  return new KubeError('unreachable', `${method} ${path.split('?')[0]}: ${code ?? ''} ${message}`, {
    reason: error instanceof Error ? error.name : 'Error',
  });
}

/** Proxies in front of an API server answer with pages. */
function statusIn(text: string): Status {
  try {
    return JSON.parse(text) as Status;
  } catch {
    return { message: text.slice(0, 200) };
  }
}

const sameTls = (one: TlsOptions, other: TlsOptions): boolean =>
  one === other ||
  (['ca', 'cert', 'key', 'servername', 'rejectUnauthorized'] as const).every(of => String(one[of]) === String(other[of]));
