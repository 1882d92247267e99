// The HTTP client: keep-alive pools per origin on undici's dispatch interface, with a check of every address that is connected to.
// Redirects are never followed, nothing is retried, no timeout but the connection's is set here: callers own their deadlines.
import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { buildConnector as Connector, Dispatcher } from 'undici';
import { buildConnector, errors, Pool } from './undici.ts';

export type HttpRequest = {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | string | null;
  /** Instead of a body: read once there is a connection, as fast as the other side takes it. If it fails, so does the request. */
  readonly bodyStream?: Readable;
  readonly connectTimeoutMs: number;
};

/** Lower-case names. */
export type HttpHeaders = Record<string, string | string[] | undefined>;

export type HttpHandler = {
  onHead(status: number, headers: HttpHeaders): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** Exactly one of `onEnd` and `onError` is called, once, unless the caller aborted. */
  onError(error: HttpError): void;
};

/** `abort` ends the exchange at any time, also before a connection stands; no callback follows. `pause` and `resume` steer the answer. */
export type HttpControl = { abort(): void; pause(): void; resume(): void };

export type HttpError = {
  readonly kind: 'connect' | 'connect-timeout' | 'forbidden-address' | 'reset';
  /** undici's or the system's code: ECONNREFUSED, ENOTFOUND, UND_ERR_SOCKET, ... */
  readonly code: string;
};

export type HttpClient = {
  /** Callbacks never come before `send` has returned. */
  send(request: HttpRequest, handler: HttpHandler): HttpControl;
  close(): Promise<void>;
};

export type HttpClientOptions = {
  /** Whether a resolved address may not be connected to. */
  readonly isForbidden: (address: string) => boolean;
};

class ForbiddenAddress extends Error {
  readonly code = 'FORBIDDEN_ADDRESS';
}
class Aborted extends Error {
  readonly code = 'ABORTED';
}

/** Origins come from configuration only; a configuration that changes its hosts all the time still cannot collect pools without end. */
const MAX_POOLS = 4096;
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;

/** How addresses are checked that are dialled otherwise than by this client. */
export const addressCheck = (isForbidden: HttpClientOptions['isForbidden']) => ({
  lookup: checkedLookup(isForbidden),
  isForbiddenLiteral: (origin: string) => isForbiddenLiteral(origin, isForbidden),
});

export function createHttpClient({ isForbidden }: HttpClientOptions): HttpClient {
  const lookup = checkedLookup(isForbidden);
  const pools = new Map<string, Pool | undefined>();
  /** undefined: an address that may not be dialled. */
  const poolFor = (origin: string, connectTimeoutMs: number): Pool | undefined => {
    const id = `${connectTimeoutMs} ${origin}`;
    if (pools.has(id)) return pools.get(id);
    if (pools.size >= MAX_POOLS) evictOldest(pools);
    const pool = isForbiddenLiteral(origin, isForbidden) ? undefined : newPool(origin, connectTimeoutMs, lookup);
    pools.set(id, pool);
    return pool;
  };
  return {
    send(request, handler) {
      const { origin, connectTimeoutMs, method, path, headers, body, bodyStream } = request;
      const exchange = new HttpExchange(handler);
      const pool = poolFor(origin, connectTimeoutMs);
      if (pool) pool.dispatch({ method: method as Dispatcher.HttpMethod, path, headers, body: bodyStream ?? body }, exchange);
      else queueMicrotask(() => exchange.forbidden());
      return exchange.sent();
    },
    async close() {
      await Promise.all([...pools.values()].map(pool => pool?.destroy()));
      pools.clear();
    },
  };
}

function newPool(origin: string, connectTimeoutMs: number, lookup: LookupFunction): Pool {
  return new Pool(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // With HTTP/2 possible, undici has all requests wait in one line until the first connection stands, or has failed.
    allowH2: false,
    connect: connectorWithin(connectTimeoutMs, { allowH2: false, timeout: 0, lookup }),
  });
}

/** undici's own limit fires up to a second late: its timers are checked twice a second. This one is exact, TLS handshake included. */
function connectorWithin(timeoutMs: number, options: Connector.BuildOptions): Connector.connector {
  // Its types hide that it returns the socket, so that a connection can be given up while it is made.
  const connect = buildConnector(options) as (...of: Parameters<Connector.connector>) => Socket;
  return (to, done) => {
    const timer = setTimeout(() => socket.destroy(new errors.ConnectTimeoutError()), timeoutMs);
    const socket = connect(to, (...outcome) => {
      clearTimeout(timer);
      done(...outcome);
    });
  };
}

function evictOldest(pools: Map<string, Pool | undefined>): void {
  const [id, pool] = pools.entries().next().value ?? [];
  if (id === undefined) return;
  pools.delete(id);
  pool?.close().catch(() => {});
}

/** Resolves once and hands on only addresses that may be connected to: what was checked is what is dialled, so a rebinding name gains nothing. */
function checkedLookup(isForbidden: (address: string) => boolean): LookupFunction {
  const resolve = sharedLookup();
  return (host, options, done) =>
    resolve(host, options, (error, addresses) => {
      if (error) return done(error, []);
      const allowed = addresses.filter(a => !isForbidden(a.address));
      const first = allowed[0];
      if (!first) return done(new ForbiddenAddress(`no address of ${host} is allowed`), []);
      return options.all ? done(null, allowed) : done(null, first.address, first.family);
    });
}

type Resolved = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;

/**
 * One look-up of a name at a time, for all that wait for it. Each takes one of Node's four threads until the resolver answers: a name
 * that nobody answers for would else hold up the names, files and packed answers of everyone.
 */
function sharedLookup(): (host: string, options: LookupOptions, done: Resolved) => void {
  const underWay = new Map<string, Resolved[]>();
  return (host, options, done) => {
    const waiting = underWay.get(host);
    if (waiting) return void waiting.push(done);
    const all = [done];
    underWay.set(host, all);
    dnsLookup(host, { ...options, all: true }, (error, addresses) => {
      underWay.delete(host);
      for (const each of all) each(error, addresses);
    });
  };
}

/** A literal address is dialled without a look-up. */
function isForbiddenLiteral(origin: string, isForbidden: (address: string) => boolean): boolean {
  const host = new URL(origin).hostname.replace(/^\[|\]$/g, '');
  return isIP(host) !== 0 && isForbidden(host);
}

/** One request on undici's side, one handle on ours. */
class HttpExchange implements Dispatcher.DispatchHandler, HttpControl {
  readonly #handler: HttpHandler;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted = false;
  /** `send` has returned. */
  #isSent = false;

  constructor(handler: HttpHandler) {
    this.#handler = handler;
  }

  sent(): this {
    this.#isSent = true;
    return this;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort(new Aborted('aborted'));
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  forbidden(): void {
    if (!this.#aborted) this.#handler.onError({ kind: 'forbidden-address', code: 'FORBIDDEN_ADDRESS' });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(new Aborted('aborted'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: HttpHeaders): void {
    if (!this.#aborted && status >= 200) this.#handler.onHead(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#aborted) this.#handler.onData(chunk);
  }

  onResponseEnd(): void {
    if (!this.#aborted) this.#handler.onEnd();
  }

  /** undici refuses what it cannot send at once. */
  onResponseError(controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (!this.#isSent) return queueMicrotask(() => this.onResponseError(controller, error));
    if (!this.#aborted) this.#handler.onError({ kind: this.#kindOf(error.code), code: error.code ?? error.name });
  }

  #kindOf(code: string | undefined): HttpError['kind'] {
    if (code === 'FORBIDDEN_ADDRESS') return 'forbidden-address';
    if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'connect-timeout';
    // Before the request was handed to a socket, nothing of it can have been read or billed.
    return this.#controller ? 'reset' : 'connect';
  }
}
