#!/usr/bin/env node
// The operator's process: settings, the connection to the API server, and a listener for health, metrics and the administration of keys.
import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { systemClock, uuidV7Source } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import { clusterOf } from '#platform/kube/cluster.ts';
import { connectTo } from '#platform/kube/connection.ts';
import { createLog } from '#platform/log.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';
import { loadPriceFile } from '#platform/price-file.ts';
import { BadSetting, clusterSettingsOf } from '../cli/settings.ts';
import { isKeyPath, keyApi } from './admin/key-api.ts';
import { keyObjects } from './admin/key-objects.ts';
import { operatorMetrics } from './metrics.ts';
import { Operator } from './operator.ts';
import { runtimeMetrics } from './runtime/metrics.ts';

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  // It compiles all there is at each change and drops it again. V8 would let that garbage grow to several times what is kept; this way
  // the heap grows by half at most before it is collected (docs/kubernetes.md, Size). It is no limit: it grows with its objects.
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--heap-growing-percent=50');
  const settings = clusterSettingsOf(env);
  const log = await createLog(settings.logLevel);
  const cluster = await clusterOf(env);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = runtimeMetrics(registry);
  const connection = connectTo(cluster, { userAgent: 'tollgate-operator', onRequest: seen => metrics.requested(seen) });
  const operator = new Operator({
    connection,
    namespace: settings.namespace ?? cluster.namespace,
    dataPlaneService: env.DATAPLANE_SERVICE || 'tollgate',
    watchNamespaces: listOf(env.WATCH_NAMESPACES),
    identity: `${env.POD_NAME || hostname()}_${randomUUID()}`,
    policy: settings.policy,
    catalogue: loadPriceCatalogue,
    ...(await priceFile(env)),
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    ownMetrics: operatorMetrics(registry),
  });
  const server = await listen(operator, registry, env.TOLLGATE_MASTER_KEY, { ...settings, log });
  const stopped = new Promise<void>(resolve => process.once('SIGTERM', () => resolve()).once('SIGINT', () => resolve()));
  await Promise.race([operator.start().then(() => log.info('operator started')), stopped]);
  await stopped;
  log.info('stopping: gives up leading');
  server.close();
  server.closeAllConnections();
  await operator.stop();
  await connection.close();
}

const listOf = (text: string | undefined): readonly string[] | undefined => {
  const names = (text ?? '').split(',').map(name => name.trim());
  return names.some(name => name !== '') ? [...new Set(names.filter(name => name !== ''))] : undefined;
};

async function priceFile(env: NodeJS.ProcessEnv) {
  const path = env.TOLLGATE_PRICE_FILE;
  if (!path) return {};
  const file = loadPriceFile(await readFile(path, 'utf8'), sha256);
  if (!file) throw new BadSetting(`TOLLGATE_PRICE_FILE: ${path} is not a price list in LiteLLM's format`);
  return { priceFile: file };
}

type Listening = Pick<ReturnType<typeof clusterSettingsOf>, 'host' | 'internalPort'> & {
  readonly log: Awaited<ReturnType<typeof createLog>>;
};

async function listen(
  operator: Operator,
  registry: Registry,
  masterKey: string | undefined,
  { host, internalPort, log }: Listening,
) {
  const keys = masterKey ? administration(operator, masterKey, log) : undefined;
  const pages: Readonly<Record<string, () => Promise<Page> | Page>> = {
    '/livez': () => text(200, 'ok'),
    '/readyz': () => text(operator.isReady ? 200 : 503, operator.isReady ? 'ok' : 'starting'),
    '/metrics': async () => ({ status: 200, body: await registry.metrics(), type: registry.contentType }),
  };
  const server = createServer((req, res) => {
    const { path, query } = targetOf(req.url);
    if (isKeyPath(path)) return void (keys ? keys(req, res, path, query) : send(res, text(501, 'There is no master key.')));
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    Promise.resolve(page ? page() : text(404, 'not found')).then(
      answer => send(res, answer),
      error => {
        log.error({ error }, 'a page failed');
        send(res, text(500, 'internal error'));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(internalPort, host, resolve);
  });
  return server satisfies Server;
}

/** Whatever was sent: it need not be a URL. */
function targetOf(url = ''): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

type Page = { readonly status: number; readonly body: string; readonly type: string };
const text = (status: number, body: string): Page => ({ status, body, type: 'text/plain' });
const send = (res: ServerResponse, { status, body, type }: Page) => res.writeHead(status, { 'content-type': type }).end(body);

function administration(operator: Operator, masterKey: string, log: Listening['log']) {
  const wanted = Buffer.from(sha256(masterKey));
  const presented = ({ authorization, 'x-api-key': key }: IncomingHttpHeaders): string =>
    String(key ?? authorization?.replace(/^Bearer /i, '') ?? '');
  const options = {
    keys: keyObjects({ client: operator.client, keys: operator.world.keys, now: systemClock.now }),
    configuration: operator.configuration,
    isMasterKey: (headers: IncomingHttpHeaders) => timingSafeEqual(Buffer.from(sha256(presented(headers))), wanted),
    clock: systemClock,
    newRequestId: uuidV7Source(systemClock),
    digest: sha256,
    randomBytes,
    log,
  };
  let api: ReturnType<typeof keyApi> | undefined;
  return (...call: Parameters<Awaited<ReturnType<typeof keyApi>>>) => {
    api ??= keyApi(options);
    api.then(
      handle => handle(...call),
      error => {
        api = undefined;
        log.error({ error }, 'the administration of keys could not be loaded');
        send(call[1], text(500, 'internal error'));
      },
    );
  };
}

// `tollgate warm` imports this file to have it compiled.
if (import.meta.main)
  main(process.env).catch(error => {
    process.stderr.write(`tollgate: ${error instanceof BadSetting ? error.message : (error as Error).stack}\n`);
    process.exitCode = error instanceof BadSetting ? 2 : 1;
  });
