// Our own client on a test's API server, with everything a reflector or an elector asks for.
import pino from 'pino';
import { Registry } from 'prom-client';
import { systemClock } from '#platform/clock.ts';
import { type KubeClient, kubeClient } from '#platform/kube/client.ts';
import { clusterOf } from '#platform/kube/cluster.ts';
import { type Connection, connectTo, type RequestSeen } from '#platform/kube/connection.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import { type RuntimeMetrics, runtimeMetrics } from '../../../operator/runtime/metrics.ts';
import { Reflector, type ReflectorOptions } from '../../../operator/runtime/reflector.ts';
import type { Source } from '../../../operator/runtime/source.ts';
import type { Access } from './api-server.ts';

export type Kube = {
  readonly connection: Connection;
  readonly client: KubeClient;
  readonly metrics: RuntimeMetrics;
  readonly registry: Registry;
  /** Every request of this client, oldest first. */
  readonly requests: readonly RequestSeen[];
  /** What was logged, a JSON line each. */
  readonly logged: readonly string[];
  readonly log: pino.Logger;
  reflector<T extends KubeObject>(resource: KubeResource, options?: Partial<ReflectorOptions<T>>): Reflector<T>;
};

export const configMaps: KubeResource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
export type ConfigMap = KubeObject & { readonly data?: Readonly<Record<string, string>> };

/** As a pod would: with a service account's token. */
export async function kubeOf(access: Access): Promise<Kube> {
  const requests: RequestSeen[] = [];
  const logged: string[] = [];
  const registry = new Registry();
  const metrics = runtimeMetrics(registry);
  const onRequest = (seen: RequestSeen): void => {
    requests.push(seen);
    metrics.requested(seen);
  };
  const connection = connectTo(await clusterOf(access.inCluster), { userAgent: 'tollgate-test', onRequest });
  const client = kubeClient(connection);
  const log = pino({ level: 'debug', base: null }, { write: line => void logged.push(line) });
  const common = { client, clock: systemClock, random: Math.random, log, metrics: metrics.reflector };
  return {
    connection,
    client,
    metrics,
    registry,
    requests,
    logged,
    log,
    reflector: (resource, options) => new Reflector({ ...common, resource, ...options }),
  };
}

export function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { metadata: { name, namespace: 'default' }, data };
}

/**
 * Resolves when what is known of an object satisfies `holds`. Rejects when that takes longer than `timeoutMs`.
 */
export function whenKnown<T extends KubeObject>(
  source: Source<T>,
  key: string,
  holds: (object: T | undefined) => boolean,
  timeoutMs: number,
): Promise<void> {
  if (holds(source.get(key))) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`${key} was not seen as written within ${timeoutMs} ms`)), timeoutMs);
  const leave = source.onChange(change => {
    if (change.key === key && holds(source.get(key))) resolve();
  });
  return promise.finally(() => {
    clearTimeout(timer);
    leave();
  });
}
