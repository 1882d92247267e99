// The operator, put together: what it sees of the cluster, the configuration that comes of it, and what its leader does.
import type { Catalogue, PriceFile, UpstreamPolicy } from '#core/compile/index.ts';
import type { Kind } from '#core/resources/index.ts';
import type { EpochMillis } from '#core/units.ts';
import type { Clock } from '#platform/clock.ts';
import { type KubeClient, kubeClient } from '#platform/kube/client.ts';
import type { Connection } from '#platform/kube/connection.ts';
import { nameOf } from '#platform/kube/resource.ts';
import type { Log } from '#platform/log.ts';
import { Configuration } from './configuration.ts';
import { type OpenWorld, openWorld } from './gather/open-world.ts';
import { generatedKeysReconciler } from './keys/reconcile.ts';
import type { OperatorMetrics } from './metrics.ts';
import { Coalesce } from './publish/coalesce.ts';
import { DataPlanePods } from './publish/pods.ts';
import { Publisher } from './publish/publisher.ts';
import { LEASE_NAME, type OurObject } from './resources.ts';
import { type ControllerOptions, type KeySource, keysFrom, type Outcome, runController } from './runtime/controller.ts';
import type { ElectionTiming } from './runtime/elector.ts';
import { EventRecorder, type Happening } from './runtime/events.ts';
import { fenced } from './runtime/fence.ts';
import { LeaseElector, type Term } from './runtime/lease.ts';
import type { RuntimeMetrics } from './runtime/metrics.ts';
import type { Source } from './runtime/source.ts';
import { Signal } from './signal.ts';
import { statusReconciler } from './status/reconcile.ts';
import { type Indexed, indexed } from './status/status-of.ts';

export type OperatorOptions = {
  readonly connection: Connection;
  /** Where the operator and the data plane are. */
  readonly namespace: string;
  /** Name of the Service of the data plane. */
  readonly dataPlaneService: string;
  /** Absent: all. */
  readonly watchNamespaces: readonly string[] | undefined;
  /** Unique to this process. */
  readonly identity: string;
  readonly policy: UpstreamPolicy;
  readonly catalogue: () => Promise<Catalogue>;
  readonly priceFile?: PriceFile;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: RuntimeMetrics;
  readonly ownMetrics: OperatorMetrics;
  readonly election?: ElectionTiming;
};

const ofKind = (kind: Kind, source: Source<OurObject>): KeySource => keysFrom(source, ({ key }) => [`${kind} ${key}`]);

const [ALL, LOOK] = ['all', 'look'] as const;
const STATUS_WORKERS = 32;
/** How often it is made sure that what was published is still there: nobody but this operator would mend it. */
const LOOK_EVERY_MS = 30_000;
/** Whom events are from. */
const CONTROLLER = 'tollgate.dev/operator';

export class Operator {
  readonly #options: OperatorOptions;
  readonly #client: KubeClient;
  readonly #coalesce: Coalesce;
  readonly #elector: LeaseElector;
  readonly #pods: DataPlanePods;
  readonly #pending = new Set<string>();
  readonly #changes: Signal;
  readonly #statuses: Signal;
  readonly #secrets = new Signal();
  readonly world: OpenWorld;
  readonly configuration: Configuration;
  #around: { readonly of: unknown; readonly indexed: Indexed } | undefined;
  #podsSeen = '';
  /** The generation that all pods served when they were last looked at. */
  #served = 0;
  /** Tenants of whose budgets something was used when it was last looked at. */
  #spending: ReadonlySet<string> = new Set();
  /** Monotonic: since when something waits to be published. */
  #changedAt = Number.POSITIVE_INFINITY;
  /** Of a leader. */
  #publisher: Publisher | undefined;
  #isReady = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
    const { connection, namespace, dataPlaneService, clock, log, metrics } = options;
    this.#client = kubeClient(connection);
    this.#coalesce = new Coalesce(since => this.#changed(since));
    this.world = openWorld({
      ...options,
      client: this.#client,
      ownNamespace: namespace,
      metrics: metrics.reflector,
      onChange: isUrgent => this.#coalesce.touch(clock.monotonic(), isUrgent),
      onSecret: key => this.#secrets.call(this.#keysNaming(key)),
    });
    this.configuration = new Configuration({ ...options, world: this.world });
    const synced = this.world.synced();
    this.#changes = new Signal(synced);
    this.#statuses = new Signal(synced);
    this.#pods = new DataPlanePods({
      slices: this.world.slices,
      service: `${namespace}/${dataPlaneService}`,
      clock,
      onAcknowledged: () => this.#acknowledged(),
      onSurroundings: () => this.#surroundingsChanged(),
    });
    this.#elector = new LeaseElector({
      client: this.#client,
      lease: { namespace, name: LEASE_NAME },
      identity: options.identity,
      clock,
      log,
      lead: term => this.#lead(term),
      onChange: leads => metrics.leading(LEASE_NAME, leads),
      ...(options.election && { timing: options.election }),
    });
  }

  /** Resolves when it knows the cluster. */
  async start(): Promise<void> {
    await this.world.synced();
    this.#pods.start();
    this.#elector.start();
    this.#isReady = true;
    this.#coalesce.touch(this.#options.clock.monotonic());
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isLeading(): boolean {
    return this.#publisher !== undefined;
  }

  get client(): KubeClient {
    return this.#client;
  }

  async stop(): Promise<void> {
    this.#coalesce.close();
    await this.#elector.stop();
    await this.#pods.close();
    await this.world.close();
  }

  async #lead(term: Term): Promise<void> {
    const { clock, random, log, metrics } = this.#options;
    const client = kubeClient(fenced(this.#options.connection, term));
    const publisher = new Publisher({ client, namespace: this.#options.namespace, schemas: () => this.#pods.schemas() });
    const common = { clock, random, log, metrics };
    const events = new EventRecorder({
      ...{ client, clock, random, log },
      controller: CONTROLLER,
      instance: this.#options.identity,
      onOutcome: outcome => this.#options.ownMetrics.event(outcome),
    });
    const tell = (happening: Happening) => events.record(happening);
    this.#publisher = publisher;
    const run = (options: Omit<ControllerOptions, keyof typeof common>) => runController({ ...options, ...common }, term.signal);
    const { providers, routes, keys } = this.world;
    try {
      const running = [
        run({
          name: 'configuration',
          sources: [this.#changes],
          workers: 1,
          reconcile: async key => (key === ALL ? this.#publish(publisher) : this.#look(publisher)),
        }),
        run({
          name: 'status',
          // Also the objects themselves: what others write into a status is mended.
          sources: [this.#statuses, ofKind('LLMProvider', providers), ofKind('LLMRoute', routes), ofKind('TenantKey', keys)],
          workers: STATUS_WORKERS,
          reconcile: statusReconciler({
            client,
            sources: { LLMProvider: providers, LLMRoute: routes, TenantKey: keys },
            configuration: this.configuration,
            pods: this.#pods,
            newest: () => publisher.newest,
            around: () => this.#surroundings(),
            pending: this.#pending,
            clock,
            tell,
          }),
        }),
        run({
          name: 'generated-keys',
          sources: [keysFrom(keys), this.#secrets],
          workers: 4,
          reconcile: generatedKeysReconciler({ client, keys, clock, tell }),
        }),
      ];
      this.#changes.call([ALL, LOOK]);
      await Promise.all(running);
    } finally {
      this.#publisher = undefined;
      this.#pods.expect(undefined);
      this.#pending.clear();
      this.configuration.endTerm();
    }
  }

  async #publish(publisher: Publisher): Promise<Outcome> {
    const { clock, ownMetrics } = this.#options;
    const changedAt = Math.min(this.#changedAt, clock.monotonic());
    this.#changedAt = Number.POSITIVE_INFINITY;
    const { generation: before } = this.configuration;
    const changed = await this.configuration.update(publisher);
    const { generation, compiled } = this.configuration;
    ownMetrics.published(generation, generation > before && before > 0 ? changedAt : undefined);
    ownMetrics.unsound(compiled?.verdicts.filter(({ sound }) => !sound).length ?? 0);
    this.#pods.expect(generation);
    this.#statuses.call(changed);
    const { nextChangeAt } = this.configuration;
    if (nextChangeAt === undefined) return { kind: 'done' };
    return { kind: 'again', afterMs: Math.max(0, nextChangeAt - clock.now()) };
  }

  async #look(publisher: Publisher): Promise<Outcome> {
    if (!(await publisher.isThere())) {
      this.#options.log.warn({}, 'what was published is not there any more: it is published again');
      this.#changes.call([ALL]);
    }
    return { kind: 'again', afterMs: LOOK_EVERY_MS };
  }

  /** One who does not lead compiles as well: its administration has to know the keys. */
  #changed(since: number): void {
    if (!this.#isReady) return;
    this.#changedAt = Math.min(this.#changedAt, since);
    if (this.isLeading) this.#changes.call([ALL]);
    else
      this.configuration.update(undefined).catch(error => {
        this.#options.log.error({ error }, 'the configuration could not be compiled');
      });
  }

  #surroundings(): Indexed | undefined {
    const { compiled } = this.configuration;
    if (!compiled) return undefined;
    const reports = this.#pods.surroundings();
    const known = this.#around?.of === compiled ? this.#around.indexed.reports : undefined;
    if (known?.length !== reports.length || known.some((report, at) => report !== reports[at]))
      this.#around = {
        of: compiled,
        indexed: indexed({
          compiled,
          reports,
          secret: key => this.world.secrets.get(key),
          now: this.#options.clock.now() as EpochMillis,
        }),
      };
    return this.#around!.indexed;
  }

  #acknowledged(): void {
    if (this.#publisher?.isOfAnotherSchema) this.#changes.call([ALL]);
    const reports = this.#pods.reports();
    const served = Math.min(...reports.map(({ generation = 0 }) => generation));
    if (reports.length > 0) this.#options.ownMetrics.served(served, this.#options.clock.monotonic());
    const seen = JSON.stringify(reports.map(({ pod, rejected }) => [pod, [...rejected]]));
    // A pod that was started again may serve less than what it had acknowledged.
    if (seen !== this.#podsSeen || served < this.#served) this.#statuses.call(this.configuration.standings.keys(), 'low');
    else this.#statuses.call(this.#pending);
    this.#podsSeen = seen;
    this.#served = served;
  }

  #surroundingsChanged(): void {
    const spending = new Set(this.#pods.surroundings().flatMap(({ budgets }) => budgets.map(({ tenant }) => tenant)));
    // Those that are told of no more have begun anew.
    const touched = spending.union(this.#spending);
    this.#spending = spending;
    const keys = this.configuration.compiled?.snapshot.keys.filter(({ tenant }) => touched.has(tenant)) ?? [];
    const others = [...this.configuration.standings.keys()].filter(key => !key.startsWith('TenantKey '));
    this.#statuses.call([...others, ...keys.map(({ namespace, name }) => `TenantKey ${namespace}/${name}`)], 'low');
  }

  *#keysNaming(secret: string): Generator<string> {
    const { namespace, name } = nameOf(secret);
    for (const [id, { metadata, spec }] of this.world.keys.objects) {
      const { secretName } = (spec?.generate ?? {}) as { secretName?: unknown };
      if (secretName === name && metadata.namespace === namespace) yield id;
    }
  }
}
