#!/usr/bin/env node
// A data-plane pod: serves what the operator published in its namespace. It reads its named objects, and writes nothing to the API server.
import { randomBytes } from 'node:crypto';
import { systemClock } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import { kubeClient } from '#platform/kube/client.ts';
import { clusterOf } from '#platform/kube/cluster.ts';
import { connectTo } from '#platform/kube/connection.ts';
import { createLog, type Log } from '#platform/log.ts';
import { BadSetting, clusterSettingsOf } from '../cli/settings.ts';
import { type ClusterLoadReport, clusterConfig } from './config/cluster.ts';
import { clusterKeys } from './config/cluster-keys.ts';
import { type DataPlane, startDataPlane } from './start.ts';
import { onStopSignal } from './stop-signal.ts';

/** Providers that refuse a credential are answered by reading it again, but not for each of a thousand requests. */
const REREAD_EVERY_MS = 1_000;

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = clusterSettingsOf(env);
  const log = await createLog(settings.logLevel);
  const cluster = await clusterOf(env);
  const client = kubeClient(connectTo(cluster, { userAgent: 'tollgate-dataplane' }));
  const stop = onStopSignal();
  let plane: DataPlane | undefined;
  let loaded: ClusterLoadReport | undefined;
  const config = await clusterConfig({
    client,
    namespace: settings.namespace ?? cluster.namespace,
    mount: settings.configMount,
    dataFolder: settings.dataFolder,
    digest: sha256,
    now: systemClock.now,
    random: Math.random,
    onLoad: report => {
      loaded = report;
      logLoad(log, report);
      plane && noteLoad(plane, report);
    },
    onFailure: ({ message }) => log.warn(`configuration: ${message}; what was in force stays, and this is tried again`),
  });
  try {
    plane = await startDataPlane({
      ...settings,
      config,
      keys: clusterKeys(config),
      operator: { url: settings.operatorUrl },
      onCredentialRefused: atMostEvery(REREAD_EVERY_MS, () => void config.rereadCredentials()),
      log,
      // Nobody knows this one: without a master key there is no administration over HTTP.
      masterKey: env.TOLLGATE_MASTER_KEY || randomBytes(32).toString('hex'),
    });
    if (loaded) noteLoad(plane, loaded);
    log.info({ port: plane.port, internalPort: plane.internalPort }, 'data plane started');
    await stop.drained(log, settings.drainMs, plane);
  } finally {
    await plane?.close();
    config.close();
    await client.close();
  }
}

function logLoad(log: Log, { rejected, ...report }: ClusterLoadReport): void {
  for (const { kind, id, message } of rejected) log.error({ object: `${kind} ${id}` }, `configuration: ${message}`);
  log.info(report, 'configuration loaded');
}

function noteLoad({ metrics }: DataPlane, { generation, rejected }: ClusterLoadReport): void {
  metrics.generation.set(generation);
  metrics.unsound.set(rejected.length);
}

function atMostEvery(ms: number, act: () => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = systemClock.monotonic();
    if (now - last < ms) return;
    last = now;
    act();
  };
}

// `tollgate warm` imports this file to have it compiled.
if (import.meta.main)
  main(process.env).catch(error => {
    process.stderr.write(`tollgate: ${error instanceof BadSetting ? error.message : (error as Error).stack}\n`);
    process.exitCode = error instanceof BadSetting ? 2 : 1;
  });
