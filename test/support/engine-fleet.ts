// Several gateways over one Redis in front of several simulated replicas of one engine provider, and what each side says of the other.
import { type EngineStateName, engineStates } from '#core/engines/state.ts';
import { type EngineOptions, type SimulatedEngine, startEngine } from '#simulator/index.ts';
import { chatPath, post } from './client.ts';
import { metricsOf } from './fleet.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { provider, providerSecret, type Resource, route, tenantKey, yamlOf } from './resources.ts';
import { until } from './until.ts';

export type Replica = SimulatedEngine & {
  /** When each of its scrapes was answered, epoch milliseconds. */
  readonly scrapes: readonly number[];
};

export type EngineFleet = {
  readonly replicas: readonly Replica[];
  readonly gateways: readonly Gateway[];
  /** The gateway whose turn it is. */
  next(): Gateway;
  /** Until every gateway calls it so. */
  becomes(replica: Replica, state: EngineStateName, deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
};

export type EngineFleetOptions = {
  readonly replicas: number;
  readonly gateways: number;
  readonly engine?: EngineOptions['settings'];
  /** Of the provider `engines`. */
  readonly probes?: Readonly<Record<string, unknown>>;
  /** Of the route `tiny`. */
  readonly route?: Readonly<Record<string, unknown>>;
  readonly more?: readonly Resource[];
};

export async function startEngineFleet(options: EngineFleetOptions): Promise<EngineFleet> {
  const replicas = await Promise.all(Array.from({ length: options.replicas }, () => startReplica(options.engine)));
  const redis = options.gateways > 1 ? await startRedis() : undefined;
  const yaml = engineYaml(replicas, options);
  const started = await Promise.allSettled(
    Array.from({ length: options.gateways }, (_, at) => startGateway({ yaml, env: environment(at, options.gateways, redis) })),
  );
  const gateways = started.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  const close = async () => {
    await Promise.all(gateways.map(gateway => gateway.stop()));
    await Promise.all([...replicas.map(replica => replica.close()), redis?.stop()]);
  };
  const failed = started.find(result => result.status === 'rejected');
  if (failed) {
    await close();
    throw failed.reason;
  }
  let turn = 0;
  const becomes = async (replica: Replica, state: EngineStateName, deadlineMs?: number) => {
    await Promise.all(
      gateways.map(gateway =>
        until(`a replica is ${state}`, async () => (await stateOf(gateway, replica)) === state, deadlineMs),
      ),
    );
  };
  await Promise.all(replicas.map(replica => becomes(replica, 'Ready')));
  return { replicas, gateways, next: () => gateways[turn++ % gateways.length]!, becomes, close };
}

async function startReplica(settings: EngineOptions['settings'] = {}): Promise<Replica> {
  const scrapes: number[] = [];
  const engine = await startEngine({
    settings,
    log: line => {
      if (line.startsWith('GET /metrics ')) scrapes.push(Date.now());
    },
  });
  return { ...engine, scrapes };
}

type Addressed = Pick<Replica, 'origin'>;

/** A provider `engines` with these endpoints, and a route `tiny` to it. */
export const engineYaml = (
  replicas: readonly Addressed[],
  { probes = {}, route: spec = {}, more = [] }: Pick<EngineFleetOptions, 'probes' | 'route' | 'more'>,
): string =>
  yamlOf(
    providerSecret,
    provider('engines', 'VLLM', '', ['tiny'], { vLLM: { endpoints: replicas.map(({ origin }) => origin) }, probes }),
    route('tiny', 'tiny', ['engines'], spec),
    tenantKey(),
    more,
  );

const environment = (at: number, size: number, redis: TestRedis | undefined): Record<string, string> => ({
  POD_NAME: `pod-${at}`,
  TOLLGATE_PODS: String(size),
  ...(redis && { REDIS_URL: redis.url }),
});

/** How a gateway calls a replica's state. */
export async function stateOf(gateway: Gateway, { origin }: Addressed): Promise<EngineStateName | undefined> {
  const metric = await metricsOf(gateway);
  const labels = (state: string) => `provider="default/engines",endpoint="${origin}",state="${state}"`;
  return engineStates.find(state => metric('tollgate_engine_state', labels(state)) === 1);
}

/** A chat whose answer has so many tokens; resolves with the status. */
export async function ask(gateway: Gateway, tokens: number, system = 'Be brief.'): Promise<number> {
  const { status } = await post(gateway.url + chatPath, {
    model: 'tiny',
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: `Go on. [[tokens=${tokens}]]` },
    ],
  });
  return status;
}

/** When a gateway said that a replica is in a state it was not in before, epoch milliseconds. */
export function toldAt(gateway: Gateway, { origin }: Replica, state: EngineStateName): number | undefined {
  for (const line of gateway.logs().split('\n')) {
    if (!line.includes(`"after":"${state}"`)) continue;
    const { endpoint, time } = JSON.parse(line) as { readonly endpoint: string; readonly time: string | number };
    if (endpoint === origin) return new Date(time).getTime();
  }
  return undefined;
}

/** Chats that reached a replica. */
export const chatsAt = (replica: Replica): number => replica.requests().filter(({ path }) => path === chatPath).length;

/** 0 up to 1, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}
