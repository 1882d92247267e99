// What the fault matrix plays on: one gateway process and, for each cell of the matrix, a provider of its own whose upstream has the
// cell's fault. Cells share nothing that remembers: no breaker, no retry budget, no connection.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { selfSigned } from './certificate.ts';
import { chat, chatPath, message, messagesPath } from './client.ts';
import { metricsOf } from './fleet.ts';
import { startGateway } from './gateway.ts';
import { type RawAsked, type RawUpstream, startPort, startRawUpstream } from './raw-upstream.ts';
import type { Wire } from './relays.ts';
import { provider, providerSecret, type Resource, route, tenantKey, yamlOf } from './resources.ts';
import { openStream } from './streaming.ts';
import { until, within } from './until.ts';
import { eventStream, json, startUpstream } from './upstream.ts';
import { head, streamFaults, type WireFault, type WireFaultName, wireFaults } from './wire-faults.ts';
import { openaiReply, openaiStream, wholeStream } from './wires.ts';

/** Faults that are there before a request could be read. */
export const doorFaults = [
  'connection refused',
  'no such host',
  'TLS: untrusted certificate',
  'TLS: certificate of another host',
  'TLS: plain HTTP',
  'TLS: silence',
] as const;
type DoorFault = (typeof doorFaults)[number];
export type FaultName = WireFaultName | DoorFault;

export type Dialect = 'chat' | 'messages';

export type Cell = {
  readonly fault: FaultName;
  readonly wire: Wire;
  readonly dialect: Dialect;
  readonly streamed: boolean;
  /** A second backend stands behind the one with the fault. */
  readonly spared: boolean;
  /** Who asks; each asks a provider of its own. */
  readonly client: 'raw' | 'sdk';
};

/** One row of the ledger, as `select` gives it. */
export type Row = {
  readonly attempt: number;
  readonly provider: string;
  readonly failure: string | null;
  readonly possibly_billed: number;
  readonly estimated: number;
  readonly cost: number | null;
};

export type Observed = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body ended as HTTP says it should. */
  readonly cleanly: boolean;
  /** When each request for the cell reached the upstream, in milliseconds of a monotonic clock. */
  readonly calls: readonly number[];
  readonly rows: readonly Row[];
};
export type Answer = Omit<Observed, 'rows'> & { readonly requestId: string };

export type FaultStage = {
  readonly url: string;
  /** Asks as the cell says; its `rows` come with `rowsOf`. */
  ask(cell: Cell): Promise<Answer>;
  /** Rows by request, once every request has its rows and none is open. */
  rowsOf(requestIds: readonly string[]): Promise<ReadonlyMap<string, readonly Row[]>>;
  /** The cells whose breakers are not closed at this moment. */
  open(): Promise<ReadonlySet<Cell>>;
  /** The public name of the cell's model. */
  modelOf(cell: Cell): string;
  close(): Promise<void>;
};

export const SECOND_SAID = 'From the second.';
export const FIRST_TOKEN_MS = 1500;
/** Longer than one Retry-After of the faults, shorter than another. */
export const BACKOFF_MAX_MS = 1200;

export const REQUEST_MS = 2500;
export const RETRIES = 2;
/** More than one request has. */
export const FAILURES_THAT_OPEN = 4;

const timeouts = {
  connect: '700ms',
  firstToken: `${FIRST_TOKEN_MS}ms`,
  streamIdle: `${FIRST_TOKEN_MS}ms`,
  request: `${REQUEST_MS}ms`,
};
const circuitBreaker = { consecutiveFailures: FAILURES_THAT_OPEN };
const retries = { attempts: RETRIES, backoff: { base: '1ms', max: `${BACKOFF_MAX_MS}ms` } };
const ANSWER_WITHIN_MS = 60_000;

const answers: Readonly<Record<WireFaultName, WireFault>> = { ...wireFaults, ...streamFaults };
const isDoorFault = (fault: FaultName): fault is DoorFault => (doorFaults as readonly string[]).includes(fault);
const sealed = (cell: Cell): string =>
  JSON.stringify([cell.fault, cell.wire, cell.dialect, cell.streamed, cell.spared, cell.client]);

export async function openFaultStage(cells: readonly Cell[]): Promise<FaultStage> {
  const names = new Map(cells.map((cell, i) => [sealed(cell), `c${i}`]));
  const nameOf = (cell: Cell): string => names.get(sealed(cell))!;
  const calls = cells.map((): number[] => []);
  const second = await startUpstream((response, { body }) =>
    JSON.parse(body.toString()).stream
      ? eventStream(wholeStream(openaiStream, SECOND_SAID))(response, {} as never)
      : json(200, openaiReply(SECOND_SAID))(response, {} as never),
  );
  const play = (asked: RawAsked): void => {
    const index = Number(/^\/c(\d+)\//.exec(asked.path)?.[1]);
    const { fault, wire, streamed } = cells[index]!;
    calls[index]!.push(asked.at);
    if (!isDoorFault(fault)) void answers[fault]({ ...asked, wire, streamed, elsewhere: `${second.url}/v1/chat/completions` });
  };
  const [own, another] = [selfSigned('127.0.0.1'), selfSigned('other.example.com')];
  const shared = await startRawUpstream(play);
  const doors = {
    untrusted: await startRawUpstream(play, own),
    another: await startRawUpstream(play, another),
    plain: await startPort(socket => socket.once('data', () => socket.end(head('400 Bad Request', { connection: 'close' })))),
    silent: await startPort(socket => socket.resume()),
  };
  const originOf: Readonly<Record<DoorFault, string>> = {
    // Port 1 has no service on any machine of today, and is never given out.
    'connection refused': 'http://127.0.0.1:1',
    // No label has more than 63 letters: refused without a question to any server, at once and everywhere.
    'no such host': `http://${'a'.repeat(64)}.invalid`,
    'TLS: untrusted certificate': doors.untrusted.url,
    'TLS: certificate of another host': doors.another.url,
    'TLS: plain HTTP': doors.plain.url.replace('http:', 'https:'),
    'TLS: silence': doors.silent.url.replace('http:', 'https:'),
  };
  // A connection that is used again has to be the cell's own.
  const reused = new Map<Cell, RawUpstream>();
  for (const cell of cells) if (cell.fault === 'reset on a reused connection') reused.set(cell, await startRawUpstream(play));

  const resources = cells.map((cell): Resource[] => {
    const name = nameOf(cell);
    const base = reused.get(cell)?.url ?? (isDoorFault(cell.fault) ? originOf[cell.fault] : shared.url);
    const spare = { name: 'second', providerRef: { name: 'second' }, model: 'second' };
    return [
      provider(name, cell.wire === 'openai' ? 'OpenAI' : 'Anthropic', `${base}/${name}`, [name], { timeouts, circuitBreaker }),
      route(name, name, cell.spared ? [name, spare] : [name], { retries }),
    ];
  });
  const trusted = path.join(tmpdir(), `tollgate-faults-${process.pid}.pem`);
  writeFileSync(trusted, another.cert);
  const gateway = await startGateway({
    yaml: yamlOf(providerSecret, tenantKey(), provider('second', 'OpenAI', second.url, ['second']), resources.flat()),
    env: { NODE_EXTRA_CA_CERTS: trusted, LOG_LEVEL: 'error' },
  });

  const send = async ({ dialect, streamed }: Cell, model: string) => {
    const body = { ...(dialect === 'chat' ? chat(model) : message(model)), stream: streamed };
    const stream = await openStream(gateway.url + (dialect === 'chat' ? chatPath : messagesPath), body);
    return { ...stream, ...(await stream.ended) };
  };
  return {
    url: gateway.url,
    modelOf: nameOf,
    async ask(cell) {
      const name = nameOf(cell);
      if (reused.has(cell)) await send(cell, name);
      const seen = calls[cells.indexOf(cell)]!;
      const before = seen.length;
      const { status, headers, text, cleanly } = await within(ANSWER_WITHIN_MS, `an answer (${sealed(cell)})`, send(cell, name));
      return { status, headers, text, cleanly, calls: seen.slice(before), requestId: String(headers['x-request-id']) };
    },
    async open() {
      const metric = await metricsOf(gateway);
      const stateOf = (name: string) => metric('tollgate_breaker_state', `provider="default/${name}",model="${name}"`);
      return new Set(cells.filter(cell => (stateOf(nameOf(cell)) ?? 0) > 0));
    },
    rowsOf: ids => settledRows(gateway, ids),
    async close() {
      await gateway.stop();
      await Promise.all([second, shared, ...Object.values(doors), ...reused.values()].map(upstream => upstream.close()));
    },
  };
}

/** Rows by request, once no request has an open one and nothing is on its way to the ledger. */
export async function settledRows(
  { url, dataFolder }: { readonly url: string; readonly dataFolder: string },
  requestIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const wanted = new Set(requestIds);
  const rows = await until(
    'every row is settled and in the ledger',
    async () => {
      if ((await metricsOf({ url }))('tollgate_spool_rows_waiting') !== 0) return undefined;
      const ledger = new DatabaseSync(path.join(dataFolder, 'ledger.db'), { readOnly: true });
      try {
        const all = ledger
          .prepare(
            'select request_id, attempt, state, provider, failure, possibly_billed, estimated, cost_nano_usd as cost from attempts order by request_id, attempt',
          )
          .all() as unknown as (Row & { readonly request_id: string; readonly state: string })[];
        const own = all.filter(row => wanted.has(row.request_id));
        return own.every(row => row.state === 'settled') && own;
      } finally {
        ledger.close();
      }
    },
    20_000,
  );
  return Map.groupBy(rows, row => row.request_id);
}
