// The administration API over a real folder, real counters in memory and a ledger that is an array, for its tests.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { dateAt } from '#core/accounting/dates.ts';
import { Calendar } from '#core/accounting/periods.ts';
import { noUsage } from '#core/chat/usage.ts';
import { emptyCatalogue } from '#core/compile/index.ts';
import { epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import { uuidV7Source } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import { presentedKey } from '../authenticate.ts';
import { memoryCache } from '../cache/memory.ts';
import { type FolderConfig, folderConfig } from '../config/folder.ts';
import { keyFiles } from '../config/key-files.ts';
import type { AuditEntry, FigureFilter, FigureReport, Figures, GroupBy, Ledger } from '../costlog/ledger.ts';
import type { Counters } from '../counters/counters.ts';
import { memoryCounters } from '../counters/memory.ts';
import { listen } from '../http/listener.ts';
import type { KeyStore } from '../ports.ts';
import { adminApp } from './admin-app.ts';
import { auditLog } from './audit.ts';

export const MASTER = 'sk-master-for-the-tests-of-the-admin-api';
/** 2026-11-21T12:00:00Z, a Saturday. */
export const NOW = Date.UTC(2026, 10, 21, 12);

export type Reply = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;

  // biome-ignore lint/suspicious/noExplicitAny: JSON of the wire, asserted field by field
  readonly body: any;
};

export type Stage = {
  readonly folder: string;
  readonly dataFolder: string;
  readonly config: FolderConfig;
  readonly keys: KeyStore;
  readonly counters: Counters;
  readonly ledger: FakeLedger;
  readonly port: number;
  readonly errors: unknown[];
  readonly time: { now: number };
  get(path: string, key?: string): Promise<Reply>;
  post(path: string, body: unknown, key?: string): Promise<Reply>;
  send(path: string, init: RequestInit): Promise<Reply>;
  close(): Promise<void>;
};

export async function stage(files: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-admin-'));
  const dataFolder = mkdtempSync(join(tmpdir(), 'tollgate-admin-data-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const time = { now: NOW };
  const clock = { now: () => time.now, monotonic: () => performance.now() };
  const config = await openFolder(folder, dataFolder, clock.now);
  const keys = keyFiles({ config, folder, now: clock.now });
  const [counters, ledger, errors] = [memoryCounters({ now: clock.now }), new FakeLedger(), [] as unknown[]];
  const cache = memoryCache({ maxBytes: 1024 * 1024, now: clock.now });
  const app = adminApp({
    cache,
    config,
    keys,
    counters,
    ledger,
    calendar: new Calendar(),
    audit: auditLog(ledger, dataFolder),
    isMasterKey: headers => presentedKey(headers) === MASTER,
    now: clock.now,
    newRequestId: uuidV7Source(clock),
    digest: sha256,
    randomBytes,
    onError: error => errors.push(error),
  });
  const listener = await listen(app, '127.0.0.1', 0, 75_000);
  const send = async (path: string, init: RequestInit): Promise<Reply> => {
    const response = await fetch(`http://127.0.0.1:${listener.port}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  };
  return {
    folder,
    dataFolder,
    config,
    keys,
    counters,
    ledger,
    errors,
    port: listener.port,
    time,
    send,
    get: (path, key = MASTER) => send(path, { headers: { authorization: `Bearer ${key}` } }),
    post: (path, body, key = MASTER) =>
      send(path, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: JSON.stringify(body) }),
    async close() {
      void listener.drain();
      listener.close();
      await config.close();
      await cache.close();
      for (const path of [folder, dataFolder]) rmSync(path, { recursive: true, force: true });
    },
  };
}

export const openFolder = (folder: string, dataFolder: string, now: () => number): Promise<FolderConfig> =>
  folderConfig({
    paths: [folder],
    dataFolder,
    environment: {},
    policy: { allowUpstreamCidrs: [], allowHttpUpstreams: [], hosted: false } as never,
    catalogue: async () => emptyCatalogue,
    digest: sha256,
    now,
    onLoad: () => {},
    onFailure: () => {},
  });

export function row(part: Partial<CostRecord> & { readonly keyName: string }): CostRecord {
  return {
    requestId: '019a0000-0000-7000-8000-000000000001',
    attempt: 0,
    state: 'settled',
    at: epochMillis(NOW - 1000),
    tenant: 'default',
    keyId: 'k',
    keyAlias: undefined,
    userId: undefined,
    tags: {},
    route: 'default/chat',
    operation: 'Chat',
    modelRequested: 'chat',
    model: 'gpt-4o',
    upstreamModel: 'gpt-4o-2024-11-20',
    provider: 'default/openai',
    endpoint: '',
    dialect: 'openai-chat' as never,
    streamed: false,
    upstreamStatus: 200,
    failure: undefined,
    purpose: 'first',
    fallbackPosition: 0,
    retryPosition: 0,
    isFirst: { ofProvider: true, ofModel: true, ofBoth: true },
    upstreamId: 'chatcmpl-1',
    usage: { ...noUsage, inputUncached: tokens(10), output: tokens(5) },
    estimated: false,
    cost: nanoUsd(1_500_000_000),
    reserved: nanoUsd(0),
    exceeded: false,
    leaseUntil: epochMillis(0),
    rates: undefined,
    priceSource: 'catalogue',
    priceVersion: '1',
    gpuSeconds: undefined,
    cache: 'miss',
    similarity: undefined,
    saved: nanoUsd(0),
    possiblyBilled: false,
    firstToken: millis(100),
    duration: millis(400),
    ...part,
  };
}

/** The contract of dataplane/costlog/ledger.ts over an array, with none of its speed. */
export class FakeLedger implements Ledger {
  readonly kept: CostRecord[] = [];
  readonly auditEntries: AuditEntry[] = [];
  isAway = false;

  #here(): void {
    if (this.isAway) throw new Error('connect ECONNREFUSED 10.1.2.3:5432');
  }
  async migrate() {}
  async maintain() {}
  async close() {}
  async write(rows: readonly CostRecord[]) {
    this.kept.push(...rows);
  }
  async rowsOf(ids: readonly string[]) {
    return this.kept.filter(r => ids.includes(r.requestId));
  }
  async overdue() {
    return [];
  }
  async spend(tenant: string, since: Parameters<Ledger['spend']>[1]) {
    this.#here();
    const ofTenant = this.kept.filter(r => r.tenant === tenant);
    const sumOf = ({ keyName, modelRequested, cost }: CostRecord) => ({ keyName, modelRequested, settled: nanoUsd(cost ?? 0) });
    return {
      sums: since.map(from => ofTenant.filter(r => r.state !== 'open' && admittedAt(r) >= from).map(sumOf)),
      open: ofTenant.filter(r => r.state === 'open'),
      settledLately: [],
    };
  }
  async figures({ from, to, groupBy, filter, timeZone }: Parameters<Ledger['figures']>[0]): Promise<FigureReport> {
    this.#here();
    const rows = this.kept.filter(r => r.at >= from && r.at < to && passes(r, filter));
    const groupOf = (r: CostRecord) => groupBy.map(by => [by, groupValue(r, by, timeZone)] as const);
    const groups = Map.groupBy(rows, r => JSON.stringify(groupOf(r)));
    const report = [...groups.values()].map(of => ({ by: Object.fromEntries(groupOf(of[0]!)), figures: figuresOf(of) }));
    return { totals: figuresOf(rows), groups: report.sort((a, b) => (a.figures.costNano < b.figures.costNano ? 1 : -1)) };
  }
  async rows({
    from = epochMillis(0),
    to = epochMillis(Number.MAX_SAFE_INTEGER),
    requestId,
    upstreamId,
    filter,
    offset,
    max,
  }: Parameters<Ledger['rows']>[0]) {
    this.#here();
    const found = this.kept.filter(
      r =>
        r.at >= from &&
        r.at < to &&
        passes(r, filter) &&
        (requestId === undefined || r.requestId === requestId) &&
        (upstreamId === undefined || r.upstreamId === upstreamId),
    );
    return { rows: found.toSorted((a, b) => b.at - a.at).slice(offset, offset + max), total: found.length };
  }
  async audit(entry: AuditEntry) {
    this.#here();
    if (!this.auditEntries.some(known => known.id === entry.id)) this.auditEntries.push(entry);
  }
  async audits() {
    return this.auditEntries;
  }
}

const admittedAt = ({ requestId }: CostRecord): number => Number.parseInt(requestId.replace('-', '').slice(0, 12), 16);

const passes = (r: CostRecord, { tenant, keyName, keyId, team, user, tag }: FigureFilter): boolean =>
  (tenant === undefined || r.tenant === tenant) &&
  (keyName === undefined || r.keyName === keyName) &&
  (keyId === undefined || r.keyId === keyId) &&
  (team === undefined || r.tags.team === team) &&
  (user === undefined || (r.userId ?? r.tags.user) === user) &&
  (tag === undefined || (tag.includes('=') ? r.tags[tag.split('=')[0]!] === tag.split('=')[1] : r.tags[tag] !== undefined));

function groupValue(r: CostRecord, by: GroupBy, timeZone: string): string | null {
  if (by.startsWith('tag:')) return r.tags[by.slice(4)] ?? null;
  const values: Record<string, string | undefined> = {
    tenant: r.tenant,
    model: r.model,
    provider: r.provider,
    key: r.keyName,
    team: r.tags.team,
    feature: r.tags.feature,
    user: r.userId ?? r.tags.user,
    day: dateAt(r.at, timeZone),
  };
  return values[by] ?? null;
}

function figuresOf(rows: readonly CostRecord[]): Figures {
  const sum = (of: (r: CostRecord) => number) => rows.reduce((total, r) => total + of(r), 0);
  return {
    requests: new Set(rows.map(r => r.requestId)).size,
    attempts: rows.length,
    failures: rows.filter(r => r.failure).length,
    promptTokens: sum(r => r.usage.inputUncached),
    completionTokens: sum(r => r.usage.output),
    costNano: rows.reduce((total, r) => total + BigInt(r.cost ?? 0), 0n),
    cacheHits: rows.filter(r => r.cache === 'hit').length,
    savedNano: BigInt(sum(r => r.saved)),
    fallbackCostNano: BigInt(sum(r => (r.fallbackPosition > 0 ? (r.cost ?? 0) : 0))),
    estimatedRows: rows.filter(r => r.estimated).length,
    unpricedRows: rows.filter(r => r.cost === null).length,
  };
}
