// All endpoints of self-hosted engines of the configuration in force: one loop looks at them, attempts are told where to go. Without
// such endpoints it compares one reference now and then, and does nothing else.
import { engineWedgedAlert } from '#core/engines/alert.ts';
import { choose, engineLoad, isOpen, loadHere, type Surroundings } from '#core/engines/choose.ts';
import { engineMetrics } from '#core/engines/metrics.ts';
import { type ScanTable, scanTable } from '#core/engines/scan.ts';
import {
  type EndpointState,
  type EngineSettings,
  type EngineStateName,
  isLost,
  marked,
  type Probe,
  probed,
} from '#core/engines/state.ts';
import type { EngineLoad } from '#core/health/health.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Connection, ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { HttpClient } from '#platform/http-client.ts';
import type { LiveConfig } from '../config/live.ts';
import type { Alerts, EndpointAsk, EndpointWatcher, Engines } from '../ports.ts';
import { credentialHeaders } from '../providers/openai/index.ts';
import { splitBase } from '../providers/provider.ts';
import { Endpoint, type LookKind, looks } from './endpoint.ts';
import { type Look, lookAtHealth, lookAtMetrics, lookAtModels } from './look.ts';

type EngineConnection = Extract<Connection, { type: 'VLLM' }>;
type EngineProvider = ProviderEntry & { readonly connection: EngineConnection };

export type EnginesOptions = {
  readonly current: () => LiveConfig;
  readonly http: HttpClient;
  readonly alerts: Alerts;
  readonly log: { info(fields: object, message: string): void; debug(fields: object, message: string): void };
  /** Processes that send to the same endpoints. */
  readonly pods: () => number;
  readonly onScrape: (provider: string, seconds: number, outcome: Probe['kind']) => void;
  readonly monotonic: () => number;
  readonly random: () => number;
};

export type EndpointReport = {
  readonly provider: string;
  readonly endpoint: string;
  readonly state: EndpointState;
  /** undefined: not known. */
  readonly load: number | undefined;
};

/** How exactly looks keep their time. */
const TICK_MS = 25;
/** A change of the configuration is seen after this while no engine is known. */
const IDLE_TICK_MS = 250;
/** `/health` and `/v1/models` change less than metrics: so many intervals, and no longer than that unless an interval is longer. */
const HEALTH = { intervals: 4, ms: 5_000 } as const;
const MODELS = { intervals: 20, ms: 30_000 } as const;
/** An endpoint without metrics may have some later. */
const UNREADABLE_EVERY_MS = 2_500;
/** Three misses, which make an endpoint stale, fit into `staleAfter`; but nobody is called slow who takes no time at all. */
const timeoutOf = ({ staleAfter }: EngineSettings): number => Math.max(100, Math.min(1_000, staleAfter / 3));

/** The endpoints of one provider. */
type Fleet = {
  readonly provider: EngineProvider;
  readonly settings: EngineSettings;
  readonly table: ScanTable;
  readonly headers: Readonly<Record<string, string>>;
  readonly endpoints: readonly Endpoint[];
};

export class EngineWatch implements Engines {
  readonly #options: EnginesOptions;
  readonly #fleets = new Map<string, Fleet>();
  #config: LiveConfig | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EnginesOptions) {
    this.#options = options;
    this.#tick();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#fleets.clear();
  }

  load({ provider, model }: Pick<Candidate, 'provider' | 'model'>): EngineLoad | undefined {
    const fleet = this.#fleets.get(provider.id);
    // In a cluster a provider may have no engine at the moment: it is left out, as one whose engines are all away.
    if (fleet?.endpoints.length === 0) return { usable: 0, saturated: false, load: 0 };
    if (!fleet?.endpoints.some(isKnown)) return undefined;
    return engineLoad(fleet.endpoints, model.upstreamName, this.#around(fleet));
  }

  pick({ provider, model }: Pick<Candidate, 'provider' | 'model'>, ask: EndpointAsk): string | undefined {
    const fleet = this.#fleets.get(provider.id);
    if (!fleet) return anyOf(provider.connection, ask);
    const { tried, prefix, random } = ask;
    const chosen = choose(fleet.endpoints, { model: model.upstreamName, tried, prefix, random }, this.#around(fleet));
    chosen?.count();
    return chosen?.endpoint;
  }

  watch(provider: ProviderEntry, endpoint: string, attempt: EndpointWatcher): void {
    this.#endpoint(provider, endpoint)?.attempts.add(attempt);
  }

  unwatch(provider: ProviderEntry, endpoint: string, attempt: EndpointWatcher): void {
    this.#endpoint(provider, endpoint)?.attempts.delete(attempt);
  }

  ended({ provider, model }: Pick<Candidate, 'provider' | 'model'>, endpoint: string, failed: boolean): boolean {
    const ended = this.#endpoint(provider, endpoint);
    if (!ended) return true;
    const now = this.#options.monotonic();
    if (failed) ended.failed(provider.circuitBreaker, now);
    else ended.succeeded();
    const { endpoints } = this.#fleets.get(provider.id)!;
    return !endpoints.some(other => other !== ended && isOpen(other, model.upstreamName, now));
  }

  report(): readonly EndpointReport[] {
    return [...this.#fleets.values()].flatMap(fleet => {
      const around = this.#around(fleet);
      return fleet.endpoints.map(endpoint => ({
        provider: fleet.provider.id,
        endpoint: endpoint.endpoint,
        state: endpoint.state,
        load: loadHere(endpoint, around),
      }));
    });
  }

  #around({ settings }: Fleet): Surroundings {
    return { settings, pods: this.#options.pods(), now: this.#options.monotonic() };
  }

  #endpoint(provider: ProviderEntry, endpoint: string): Endpoint | undefined {
    return this.#fleets.get(provider.id)?.endpoints.find(each => each.endpoint === endpoint);
  }

  // ------------------------------------------------------------ the configuration

  #follow(config: LiveConfig): void {
    this.#config = config;
    const found = Object.values(config.snapshot.providers).filter(isEngine);
    const ids = new Set(found.map(provider => provider.id));
    for (const id of this.#fleets.keys()) if (!ids.has(id)) this.#fleets.delete(id);
    for (const provider of found) this.#fleets.set(provider.id, this.#fleetOf(provider, config));
  }

  /** What is known of the endpoints that stay is kept. */
  #fleetOf(provider: EngineProvider, config: LiveConfig): Fleet {
    const { engine, endpoints, probes, draining = [] } = provider.connection;
    const before = this.#fleets.get(provider.id);
    const isSame = before?.table.metrics === engineMetrics[engine];
    const known = new Map(isSame ? before.endpoints.map(each => [each.endpoint, each]) : []);
    const { refusesOtherModels } = engineMetrics[engine];
    const now = this.#options.monotonic();
    const settings = { ...probes, models: refusesOtherModels ? provider.models.map(model => model.upstreamName) : [] };
    return {
      provider,
      settings,
      table: isSame ? before.table : scanTable(engine),
      headers: credentialHeaders({ provider, credential: provider.auth && config.credential(provider.auth.credential) }),
      endpoints: [...new Set(endpoints)].map(address => {
        const endpoint =
          known.get(address) ?? new Endpoint(address, now, now + this.#options.random() * probes.interval, probes.interval);
        endpoint.state = marked(endpoint.state, draining.includes(address), now, settings);
        return endpoint;
      }),
    };
  }

  // ------------------------------------------------------------ the loop

  #tick(): void {
    const config = this.#options.current();
    if (config !== this.#config) this.#follow(config);
    const now = this.#options.monotonic();
    for (const fleet of this.#fleets.values())
      for (const endpoint of fleet.endpoints)
        for (const kind of looks)
          if (now >= endpoint.dueAt[kind] && !endpoint.looking.has(kind)) this.#look(kind, endpoint, fleet, now);
    this.#timer = setTimeout(() => this.#tick(), this.#fleets.size > 0 ? TICK_MS : IDLE_TICK_MS);
    this.#timer.unref();
  }

  #look(kind: LookKind, endpoint: Endpoint, fleet: Fleet, now: number): void {
    // What is late is not made up for.
    endpoint.dueAt[kind] = Math.max(endpoint.dueAt[kind] + periodOf(kind, endpoint, fleet), now);
    if (kind === 'models' && !fleet.table.metrics.refusesOtherModels) return;
    endpoint.looking.add(kind);
    const done = (probe: Probe | undefined) => {
      endpoint.looking.delete(kind);
      if (probe) this.#learn(endpoint, fleet.provider.id, probe);
    };
    const { metricsPath } = fleet.provider.connection;
    switch (kind) {
      case 'metrics':
        endpoint.asked();
        return lookAtMetrics(this.#lookOf(endpoint, fleet, metricsPath), fleet.table, probe => {
          this.#options.onScrape(fleet.provider.id, (this.#options.monotonic() - now) / 1000, probe.kind);
          done(probe);
        });
      case 'models':
        return lookAtModels(this.#lookOf(endpoint, fleet, '/v1/models'), done);
      case 'health':
        return lookAtHealth(this.#lookOf(endpoint, fleet, '/health'), done);
    }
  }

  #lookOf({ endpoint }: Endpoint, { settings, headers }: Fleet, page: string): Look {
    const { origin, prefix } = splitBase(endpoint);
    return { http: this.#options.http, origin, path: prefix + page, headers, timeoutMs: timeoutOf(settings) };
  }

  #learn(endpoint: Endpoint, provider: string, probe: Probe): void {
    const fleet = this.#fleets.get(provider);
    // It may have gone meanwhile.
    if (!fleet?.endpoints.includes(endpoint)) return;
    const { settings } = fleet;
    const before = endpoint.state;
    const now = this.#options.monotonic();
    const after = probed(before, probe, now, settings);
    endpoint.state = after;
    if (probe.kind === 'read') endpoint.told();
    if (probe.kind === 'read' || probe.kind === 'unreadable') endpoint.isUnreadable = after.reading === undefined;
    if ((before.isDown && !after.isDown) || after.name === 'Restarted') endpoint.lookAgain(now);
    if (after.name !== before.name) this.#tell(endpoint, provider, before.name, after.name);
    if (after.wedged.some(engine => !before.wedged.includes(engine))) {
      const engines = after.name === 'Wedged' ? [] : after.wedged;
      const { wedgedAfter } = settings;
      this.#options.alerts.emit(engineWedgedAlert({ provider, endpoint: endpoint.endpoint, engines, wedgedAfter }));
    }
    if (isLost(after)) endpoint.abandon();
  }

  #tell({ endpoint }: Endpoint, provider: string, before: EngineStateName, after: EngineStateName): void {
    const fields = { provider, endpoint, before, after };
    const isRoutine = before in ROUTINE && after in ROUTINE;
    this.#options.log[isRoutine ? 'debug' : 'info'](fields, 'an engine stands otherwise');
  }
}

/** Between these they go back and forth under load. */
const ROUTINE: Partial<Record<EngineStateName, true>> = { Ready: true, Saturated: true };

function periodOf(kind: LookKind, { isUnreadable }: Endpoint, { settings: { interval } }: Fleet): number {
  const rarer = ({ intervals, ms }: typeof HEALTH | typeof MODELS) => Math.max(interval, Math.min(intervals * interval, ms));
  if (kind === 'health') return rarer(HEALTH);
  if (kind === 'models') return rarer(MODELS);
  return isUnreadable ? Math.max(interval, UNREADABLE_EVERY_MS) : interval;
}

const isEngine = (provider: ProviderEntry): provider is EngineProvider => provider.connection.type === 'VLLM';

/** Of an endpoint about which nothing is known its provider's load says nothing either. */
const isKnown = ({ state }: Endpoint): boolean => state.name !== 'Unknown';

/** Before the loop has seen the provider. */
function anyOf(connection: Connection, { tried, random }: EndpointAsk): string | undefined {
  if (connection.type !== 'VLLM') return undefined;
  const others = connection.endpoints.filter(endpoint => !tried.includes(endpoint));
  const among = others.length > 0 ? others : connection.endpoints;
  return among[Math.floor(random * among.length)];
}
