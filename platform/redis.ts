// The connection to Redis as everything here uses it: it never throws when Redis is absent, it waits for nothing longer than a few
// milliseconds, and while Redis is away it says so at once. A process that starts before its Redis is a normal process.
import { Cluster, Redis } from 'ioredis';
import { type RedisPlace, readRedisUrl } from './redis-url.ts';

/** Redis did not answer in time, or is known to be away. */
export class RedisAway extends Error {
  /** What was sent may still happen; otherwise nothing was. */
  readonly wasSent: boolean;

  constructor(message: string, wasSent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.wasSent = wasSent;
  }
}

export type RedisState = { readonly kind: 'up' | 'down'; readonly since: number };
export type RedisClient = Redis | Cluster;

export type RedisLink = {
  /** Rejects with `RedisAway` at once while the breaker is open, else within the timeout; errors of Redis itself also arrive as `RedisAway`. */
  call<T>(send: (client: RedisClient) => Promise<T>, timeoutMs?: number): Promise<T>;
  state(): RedisState;
  /** Told after each change between up and down. */
  onChange(listener: (state: RedisState) => void): void;
  close(): Promise<void>;
};

export type RedisLinkOptions = {
  readonly url: string;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  readonly commandTimeoutMs?: number;
  readonly now?: () => number;
};

const COMMAND_TIMEOUT_MS = 40;
/** So many times as long a call waits in line at most, behind others that are answered. */
const MOST_TIMEOUTS = 5;
const CONNECT_TIMEOUT_MS = 2000;
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1000;
/** Failures in a row that open the breaker. */
const FAILURES = 3;
const PROBE_EVERY_MS = 250;
/** A connection on which a probe is not answered for so long is replaced: its other end may be gone without a word. */
const PROBE_GIVE_UP_MS = 5000;

/** `leftAt`: by the clock of durations; undefined before. */
type Outbox = { leftAt: number | undefined };

export function connectRedis(options: RedisLinkOptions): RedisLink {
  return new Link(readRedisUrl(options.url), options);
}

class Link implements RedisLink {
  readonly #client: RedisClient;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #log: RedisLinkOptions['log'];
  readonly #listeners: ((state: RedisState) => void)[] = [];
  readonly #probing: NodeJS.Timeout;
  #state: RedisState;
  #failures = 0;
  /** When the probe that is on its way was sent, by the clock of durations. */
  #probeSent: number | undefined;
  #probeOf = 0;
  /** When the last answer came, by the clock of durations. */
  #heardAt = 0;
  /** The calls of this turn of the event loop, which leave at its end. */
  #outbox: Outbox | undefined;
  #isClosed = false;
  #lastError = '';

  constructor(place: RedisPlace, options: RedisLinkOptions) {
    this.#timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    this.#now = options.now ?? Date.now;
    this.#log = options.log;
    this.#state = { kind: 'down', since: this.#now() };
    this.#client = clientOf(place);
    this.#client.on('error', (error: Error) => this.#told(error));
    this.#client.on('ready', () => this.#probe());
    this.#client.on('close', () => this.#turn('down'));
    this.#probing = setInterval(() => this.#probe(), PROBE_EVERY_MS);
    this.#probing.unref();
  }

  state(): RedisState {
    return this.#state;
  }

  onChange(listener: (state: RedisState) => void): void {
    this.#listeners.push(listener);
  }

  call<T>(send: (client: RedisClient) => Promise<T>, timeoutMs = this.#timeoutMs): Promise<T> {
    if (this.#state.kind === 'down') return Promise.reject(new RedisAway('redis is away', false));
    const outbox = this.#cork();
    return new Promise<T>((resolve, reject) => {
      let waiting = true;
      const end = (error?: RedisAway) => {
        if (error === undefined) this.#heardAt = performance.now();
        if (!waiting) return;
        waiting = false;
        clearTimeout(timer);
        if (error === undefined) {
          this.#failures = 0;
          return;
        }
        this.#failed(error);
        reject(error);
      };
      // Being busy is not Redis being away: its time runs from when it was asked, and what arrived meanwhile is read, after the
      // timers of a turn, before it is called missing.
      const due = () => {
        const left = this.#timeLeft(outbox, timeoutMs);
        if (left > 0) timer = setTimeout(due, Math.ceil(left));
        else setImmediate(() => end(new RedisAway(`no answer within ${timeoutMs} ms`, true)));
      };
      let timer = setTimeout(due, timeoutMs);
      send(this.#client).then(
        value => {
          end();
          resolve(value);
        },
        (error: Error) => end(new RedisAway(error.message, true, { cause: error })),
      );
    });
  }

  async close(): Promise<void> {
    this.#turn('down');
    this.#isClosed = true;
    clearInterval(this.#probing);
    this.#client.disconnect();
    if (this.#client instanceof Redis) this.#client.stream?.destroy();
  }

  /** A Redis that answers what was asked before is not silent: it has its time again with each answer, up to a bound. */
  #timeLeft({ leftAt }: Outbox, timeoutMs: number): number {
    if (leftAt === undefined) return timeoutMs;
    // One connection answers in order. Of a cluster, another node may be the one that answers.
    const silentSince = this.#client instanceof Redis ? Math.max(leftAt, this.#heardAt) : leftAt;
    return Math.min(silentSince + timeoutMs, leftAt + MOST_TIMEOUTS * timeoutMs) - performance.now();
  }

  /** All calls of one turn of the event loop leave in one write. A cluster has a stream per node, and its own pipelining. */
  #cork(): Outbox {
    if (this.#outbox) return this.#outbox;
    const stream = this.#client instanceof Redis ? this.#client.stream : undefined;
    const outbox: Outbox = { leftAt: undefined };
    this.#outbox = outbox;
    stream?.cork();
    setImmediate(() => {
      this.#outbox = undefined;
      stream?.uncork();
      outbox.leftAt = performance.now();
    });
    return outbox;
  }

  #failed(error: RedisAway): void {
    if ((error.cause as Error | undefined)?.name === 'ReplyError') {
      // It answers, if only to say no: nothing to wait for, and a probe would be content with it.
      this.#told(error);
      return;
    }
    this.#failures += 1;
    if (this.#failures < FAILURES || this.#state.kind === 'down') return;
    this.#told(error);
    this.#turn('down');
  }

  /** While down, off every request's path: one PING at a time; one that is answered in time closes the breaker. */
  #probe(): void {
    if (this.#state.kind === 'up' || this.#client.status !== 'ready') return;
    const now = performance.now();
    if (this.#probeSent !== undefined) {
      if (now - this.#probeSent > PROBE_GIVE_UP_MS) this.#replaceConnection();
      return;
    }
    this.#probeSent = now;
    this.#probeOf += 1;
    const probe = this.#probeOf;
    this.#client.ping().then(
      () => this.#probed(probe, performance.now() - now <= this.#timeoutMs),
      () => this.#probed(probe, false),
    );
  }

  #probed(probe: number, inTime: boolean): void {
    if (probe !== this.#probeOf) return;
    this.#probeSent = undefined;
    if (inTime && this.#client.status === 'ready') this.#turn('up');
  }

  #replaceConnection(): void {
    this.#probeSent = undefined;
    this.#probeOf += 1;
    if (this.#client instanceof Redis) this.#client.stream.destroy();
  }

  #turn(kind: RedisState['kind']): void {
    this.#failures = 0;
    if (kind === this.#state.kind || this.#isClosed) return;
    this.#state = { kind, since: this.#now() };
    if (kind === 'up') {
      this.#lastError = '';
      this.#log.info({}, 'redis answers');
    } else this.#log.warn({ reason: this.#lastError }, 'redis is away');
    for (const listener of this.#listeners) listener(this.#state);
  }

  /** One line for each kind of trouble, not one for each attempt to connect. */
  #told(error: Error): void {
    const text = error.message || error.name;
    if (text === this.#lastError) return;
    this.#lastError = text;
    this.#log.warn({ error: text }, 'redis: trouble');
  }
}

function clientOf(place: RedisPlace): RedisClient {
  const options = connectionOptions(place);
  const single = { ...options, db: place.db, enableOfflineQueue: false, retryStrategy: backoff };
  switch (place.kind) {
    case 'single':
      return new Redis({ ...single, ...(place.path === undefined ? place.nodes[0]! : { path: place.path }) });
    case 'sentinel':
      return new Redis({ ...single, sentinels: [...place.nodes], name: place.primary!, sentinelRetryStrategy: backoff });
    case 'cluster':
      return new Cluster([...place.nodes], {
        enableOfflineQueue: false,
        enableAutoPipelining: true,
        clusterRetryStrategy: backoff,
        slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
        redisOptions: options,
      });
    default:
      throw new TypeError(`unknown kind of redis: ${place.kind satisfies never}`);
  }
}

/** Nothing waits for a connection, nothing is sent twice by the client: what may be repeated is decided by who asked. */
function connectionOptions(place: RedisPlace) {
  return {
    ...(place.username !== undefined && { username: place.username }),
    ...(place.password !== undefined && { password: place.password }),
    ...(place.tls && { tls: {} }),
    autoResendUnfulfilledCommands: false,
    // With 0, what is unanswered when a connection breaks is rejected at once.
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A primary that became a replica keeps its connections: only a new one finds the new primary.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    disableClientInfo: true,
    // Nothing here needs RESP3, and proxies in front of Redis do not all know it.
    protocol: 2 as const,
  };
}

const backoff = (times: number): number => Math.min(RECONNECT_MIN_MS * 2 ** Math.min(times - 1, 10), RECONNECT_MAX_MS);
