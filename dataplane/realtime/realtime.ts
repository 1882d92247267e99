// `/v1/realtime`: who asks, for which model, and at which provider a session is opened. Whatever is wrong is told over HTTP, before there is a
// WebSocket; then a session goes its own way.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Failure, failure, ok, type Parsed, refuse, statusOf } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { noNeeds } from '#core/plan/needs.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { EpochMillis } from '#core/units.ts';
import { accept, type Dial, type Dialled, type WebSocket } from '#platform/websocket.ts';
import { connectionFailure } from '../attempt.ts';
import { authenticate } from '../authenticate.ts';
import type { LiveConfig, LiveKey } from '../config/live.ts';
import { anyDialect } from '../frontends/index.ts';
import { Hold } from '../hold.ts';
import { uncheckedPassing } from '../hooks/unseen.ts';
import type { Upgrades } from '../http/listener.ts';
import { planFor } from '../open.ts';
import { PASSED_DIALECT } from '../passthrough/endpoints.ts';
import type { Pass, Ports } from '../ports.ts';
import { passedWireFor } from '../providers/index.ts';
import { tagsOf } from '../request-headers.ts';
import { nothingUsed, SessionAccount, type SessionFacts } from './account.ts';
import { RealtimeSession } from './session.ts';

export type RealtimeParts = {
  readonly ports: Ports;
  readonly dial: (dial: Dial) => Promise<Dialled>;
  readonly maxSessions: number;
  readonly onError: (error: unknown, requestId: string) => void;
};

const PATH = '/v1/realtime';
/** How browsers bring their key, as they cannot set headers (OpenAI's page "Realtime, WebSocket"). */
const KEY_PROTOCOL = 'openai-insecure-api-key.';
const PROTOCOL = 'realtime';
const BETA_PROTOCOL = 'openai-beta.realtime-v1';

/** A client's request for a session. */
type Asked = {
  readonly id: string;
  readonly config: LiveConfig;
  readonly key: LiveKey;
  readonly model: string;
  readonly query: URLSearchParams;
  readonly protocols: readonly string[];
  readonly plan: Plan;
  readonly headers: IncomingMessage['headers'];
};

/** A session's other side, and what was taken for it. */
type Opened = { readonly upstream: WebSocket; readonly candidate: Candidate; readonly endpoint: string; readonly pass: Pass };

export class Realtime implements Upgrades {
  readonly #parts: RealtimeParts;
  readonly #sessions = new Set<RealtimeSession>();
  readonly #running = new Set<Promise<void>>();
  #isDraining = false;

  constructor(parts: RealtimeParts) {
    this.#parts = parts;
  }

  wants({ url = '', headers }: IncomingMessage): boolean {
    return pathOf(url) === PATH && headers.upgrade?.toLowerCase() === 'websocket';
  }

  take(req: IncomingMessage, socket: Socket, head: Buffer): void {
    const id = this.#parts.ports.newRequestId();
    socket.on('error', () => socket.destroy());
    const served = this.#serve(id, req, socket, head).catch(error => {
      this.#parts.onError(error, id);
      socket.destroy();
    });
    this.#running.add(served);
    void served.finally(() => this.#running.delete(served));
  }

  /** Takes no new ones, and resolves when those that there are are over and accounted for. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const session of this.#sessions) session.drain();
    await Promise.allSettled(this.#running);
  }

  async #serve(id: string, req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const asked = this.#asked(id, req);
    if (!asked.ok) return answer(socket, id, asked.failure);
    const account = accountOf(asked.value, this.#parts.ports);
    const opened = await this.#open(asked.value, account);
    if (!opened.ok) {
      await account.close();
      return answer(socket, id, opened.failure);
    }
    const { upstream, candidate, endpoint, pass } = opened.value;
    const answered = { protocol: protocolFor(asked.value.protocols), headers: [`x-request-id: ${id}`] };
    const client = socket.destroyed ? undefined : await accept({ req, socket, head, ...answered });
    if (!client) {
      upstream.terminate();
      account.end({ ...nothingUsed, kind: 'abandoned', failure: failure('client_closed') });
      pass.leave(0);
      return account.close();
    }
    const { key, plan } = asked.value;
    const session = new RealtimeSession({
      client,
      upstream,
      candidate,
      endpoint,
      account,
      mayTranscribe: ({ model }) =>
        key.mayUse(model.name) && (model.price !== undefined || plan.route?.onUnknownPrice !== 'Deny'),
      onError: error => this.#parts.onError(error, id),
    });
    this.#sessions.add(session);
    const over = session.run();
    if (this.#isDraining) session.drain();
    try {
      await over;
    } finally {
      this.#sessions.delete(session);
      pass.leave();
    }
  }

  #asked(id: string, { url = '', headers }: IncomingMessage): Parsed<Asked> {
    const { ports, maxSessions } = this.#parts;
    if (this.#isDraining) return refuse('shutting_down');
    if (this.#sessions.size >= maxSessions)
      return refuse('no_backend', { message: 'The gateway has as many sessions as it can.' });
    const config = ports.config.current();
    const protocols = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim());
    const inProtocol = protocols.find(name => name.startsWith(KEY_PROTOCOL))?.slice(KEY_PROTOCOL.length);
    const credentials = inProtocol ? { ...headers, authorization: `Bearer ${inProtocol}` } : headers;
    const key = authenticate(config, credentials, ports.digest, ports.now());
    if (!key.ok) return key;
    const query = new URLSearchParams(url.slice(PATH.length + 1));
    const models = query.getAll('model');
    const [model] = models;
    if (!model || models.length > 1 || model.length > 256)
      return refuse('invalid_request', { message: 'model must be named once in the query.', param: 'model' });
    const other = [...query.keys()].find(name => !PARAMETERS.has(name));
    if (other !== undefined)
      return refuse('invalid_request', {
        message: `${other.slice(0, 100)} is not passed on: only ${[...PARAMETERS].join(' and ')} are.`,
      });
    const tags = tagsOf(headers, NO_CONTROLS);
    const facts = { model, operation: 'Realtime', headers, tags, inputTokens: () => 0, needs: REALTIME_NEEDS } as const;
    const plan = planFor(config, key.value, facts, ports);
    const unchecked = plan.ok && uncheckedPassing(facts.operation, plan.value.route);
    if (unchecked) return { ok: false, failure: unchecked };
    return plan.ok ? ok({ id, config, key: key.value, model, query, protocols, plan: plan.value, headers }) : plan;
  }

  /** At the first of its backends that takes it. */
  async #open(asked: Asked, account: SessionAccount): Promise<Parsed<Opened>> {
    let why = failure('no_backend');
    for (const candidate of asked.plan.candidates) {
      const opened = await this.#openAt(asked, candidate, account);
      if (opened.ok) return opened;
      why = opened.failure;
      if (statusOf(why) < 500) return opened;
    }
    return { ok: false, failure: why };
  }

  async #openAt(asked: Asked, candidate: Candidate, account: SessionAccount): Promise<Parsed<Opened>> {
    const { ports, dial } = this.#parts;
    const { health, gate, monotonic } = ports;
    const { provider, model } = candidate;
    const wire = passedWireFor(candidate);
    if (!wire) return refuse('unsupported_parameter', { message: `The provider ${provider.id} has no realtime sessions.` });
    if (!health.tryEnter(candidate, monotonic())) return refuse('circuit_open');
    const deadline = monotonic() + provider.timeouts.connect;
    const pass = await gate.enter({ provider, tokens: 0, priority: asked.key.entry.priority, client: STAYS, deadline });
    if (!pass.ok) {
      health.left(candidate, monotonic());
      return pass;
    }
    const credential = provider.auth && asked.config.credential(provider.auth.credential);
    const { origin, path, headers } = wire.address({ provider, model, credential }, '/realtime');
    const refused = await account.begin(candidate, origin);
    if (refused) {
      health.left(candidate, monotonic());
      pass.value.leave(0);
      return { ok: false, failure: refused };
    }
    const since = monotonic();
    const observation = health.began(candidate, 0, since);
    const dialled = await dial({
      url: urlOf(origin, path, asked.query, model.upstreamName),
      headers: { ...headers, ...betaOf(asked) },
      protocols: [PROTOCOL],
      connectTimeoutMs: provider.timeouts.connect,
    });
    if (dialled.kind === 'open') {
      observation.ended({ ms: monotonic() - since }, monotonic());
      return ok({ upstream: dialled.socket, candidate, endpoint: origin, pass: pass.value });
    }
    const reason =
      dialled.kind === 'failed'
        ? connectionFailure(dialled.error)
        : wire.classify({ ...dialled, status: dialled.status || 502, now: ports.now() as EpochMillis });
    observation.ended({ failure: reason, ms: monotonic() - since }, monotonic());
    account.end({ ...nothingUsed, kind: 'refused', failure: reason });
    pass.value.leave(0);
    return { ok: false, failure: reason };
  }
}

/** A `call_id` would lead into a session of somebody else. */
const PARAMETERS: ReadonlySet<string> = new Set(['model', 'intent']);

const pathOf = (url: string): string => url.split('?', 1)[0]!;

const NO_CONTROLS = { metadata: {}, tags: [], disableFallbacks: false };
const REALTIME_NEEDS = { ...noNeeds, operation: 'Realtime' } as const;
/** Who leaves while a session is opened is noticed when it stands. */
const STAYS = { gone: false, listener: undefined };

const protocolFor = (offered: readonly string[]): string | undefined => (offered.includes(PROTOCOL) ? PROTOCOL : undefined);

/** The form of before the general release, for who asks for it. */
function betaOf({ protocols, headers }: Asked): Record<string, string> {
  const beta = headers['openai-beta'];
  if (typeof beta === 'string') return { 'openai-beta': beta };
  return protocols.includes(BETA_PROTOCOL) ? { 'openai-beta': 'realtime=v1' } : {};
}

function urlOf(origin: string, path: string, query: URLSearchParams, upstreamName: string): string {
  const url = new URL(`${origin.replace(/^http/, 'ws')}${path}`);
  for (const [name, value] of query) url.searchParams.append(name, name === 'model' ? upstreamName : value);
  return url.href;
}

function accountOf({ id, key, model, plan, headers }: Asked, ports: Ports): SessionAccount {
  const base: SessionFacts = {
    exchange: { id, frontend: { operation: 'Realtime', dialect: PASSED_DIALECT } },
    call: { key, plan, tags: tagsOf(headers, NO_CONTROLS), envelope: { model, stream: true, controls: {} } },
    purpose: 'first',
    fallbackPosition: 0,
    retryPosition: 0,
    cache: 'bypass',
  };
  const hold = new Hold(
    (bound, leaseUntil) => key.demands.of({ modelRequested: model, requestId: id, limitsAlone: false, bound, leaseUntil }),
    key,
    ports,
  );
  return new SessionAccount(base, hold, ports);
}

/** In HTTP, while there is no WebSocket. */
function answer(socket: Socket, id: string, reason: Failure): void {
  const body = anyDialect.encodeError(reason, id);
  const head = [
    `HTTP/1.1 ${statusOf(reason)} Refused`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    ...(reason.retryAfter === undefined ? [] : [`retry-after: ${Math.ceil(reason.retryAfter / 1000)}`]),
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
