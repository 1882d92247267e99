// Starts what is measured: the upstream and the clients on one core, the server under test on another, where `taskset` exists.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, withoutPostgres } from '#test/support/postgres.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';

export const KEY = 'sk-bench-0123456789abcdef0123456789abcdef';
/** The core of the server under test, and that of everything else. */
export const CORES = { server: 0, others: 1 } as const;
const START_LIMIT_MS = 20_000;

export type Server = { readonly port: number; readonly pid: number; stop(): Promise<void> };
/** `readyMs`: from the start of the process to the first request that finds it ready. */
export type Gateway = Server & { readonly readyMs: number };

export const isPinned = availableParallelism() > 1 && hasTaskset();

/** A script of this project in a process of its own. */
export function startNode(core: number, script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const command = [process.execPath, join(import.meta.dirname, script), ...args];
  const [file, ...rest] = isPinned ? ['taskset', '-c', String(core), ...command] : command;
  const child = spawn(file!, rest, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', ...env },
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

export async function startMock(): Promise<Server> {
  const port = await freePort();
  return listening(startNode(CORES.others, 'mock-upstream.ts', [`--port=${port}`]), port);
}

export async function startBareProxy(upstream: number): Promise<Server> {
  const port = await freePort();
  return listening(startNode(CORES.server, 'bare-proxy.ts', [`--port=${port}`, `--upstream=${upstream}`]), port);
}

type GatewayOptions = { readonly nodeOptions?: string; readonly limits?: string; readonly env?: NodeJS.ProcessEnv };

/** The gateway with all that a tenant can have: limits and budgets in Redis, the ledger in Postgres. Undefined where one is not installed. */
export async function startTenantsGateway(upstream: number, nodeOptions = ''): Promise<Gateway | undefined> {
  if (withoutRedis || withoutPostgres) return undefined;
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  if (isPinned) execFileSync('taskset', ['-a', '-p', '-c', String(CORES.others), String(redis.pid)], { stdio: 'ignore' });
  const env = { REDIS_URL: redis.url, DATABASE_URL: await postgres.database() };
  const gateway = await startGateway(upstream, { nodeOptions, env, limits: LIMITS });
  const stop = async () => {
    await gateway.stop();
    await Promise.all([redis.stop(), postgres.stop()]);
  };
  return { ...gateway, stop };
}

/** None of them is reached. */
const LIMITS = `
  limits: {rpm: 100000000, maxConcurrency: 100000, perModel: [{model: same-dialect, rpm: 100000000}]}
  budgets:
  - {name: monthly, amount: "1000000", period: Monthly, warnAtPercent: [50, 80]}
  - {name: tenant, amount: "2000000", period: Daily, timeZone: Europe/Berlin, scope: Tenant}
`;

export async function startGateway(
  upstream: number,
  { nodeOptions = '', limits = '', env: stores = {} }: GatewayOptions = {},
): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const config = join(folder, 'config');
  mkdirSync(config);
  // Beside the data, as everywhere: the folder of the configuration is watched.
  writeFileSync(join(config, 'bench.yaml'), configuration(upstream) + limits);
  const [port, internal] = [await freePort(), await freePort()];
  const env = {
    // As package.json's `start` has it.
    NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/compile'),
    PORT: String(port),
    INTERNAL_PORT: String(internal),
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    TOLLGATE_DATA: join(folder, 'data'),
    NODE_OPTIONS: nodeOptions,
    ...stores,
  };
  const start = performance.now();
  const child = startNode(CORES.server, '../../cli/main.ts', ['run', '--config', config], env);
  child.stdout!.resume();
  await ready(child, async () => (await fetch(`http://127.0.0.1:${port}/health/readiness`)).ok);
  const readyMs = performance.now() - start;
  const stop = async () => {
    await stopped(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, pid: child.pid!, readyMs, stop };
}

async function listening(child: ChildProcess, port: number): Promise<Server> {
  child.stdout!.resume();
  await ready(child, async () => (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' })).body !== null);
  return { port, pid: child.pid!, stop: () => stopped(child) };
}

async function ready(child: ChildProcess, answers: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + START_LIMIT_MS;
  while (performance.now() < end && child.exitCode === null) {
    if (await answers().catch(() => false)) return;
    await sleep(2);
  }
  child.kill();
  throw new Error(`${child.spawnargs.join(' ')} did not become ready`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([exit, sleep(10_000, undefined, { ref: false })]);
  child.kill('SIGKILL');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** By the public name of their model: who answers it, in which wire. */
const upstreams: Readonly<Record<string, (origin: string) => { readonly type: string; readonly [block: string]: unknown }>> = {
  'same-dialect': origin => ({ type: 'OpenAICompatible', openAICompatible: { baseURL: `${origin}/v1` } }),
  'other-dialect': origin => ({ type: 'Anthropic', anthropic: { baseURL: origin } }),
  'to-responses': origin => ({ type: 'OpenAI', openAI: { baseURL: `${origin}/v1`, dialects: ['Responses'] } }),
  'to-gemini': origin => ({ type: 'Gemini', gemini: { baseURL: origin } }),
  'to-bedrock': origin => ({ type: 'Bedrock', bedrock: { region: 'us-east-1', endpoint: origin } }),
};

/** One provider of each wire, one route to each, one key. */
const configuration = (upstream: number): string => `apiVersion: v1
kind: Secret
metadata: {name: upstream}
stringData: {key: sk-upstream}
${Object.entries(upstreams)
  .map(
    ([model, of]) => `---
apiVersion: tollgate.dev/v1alpha1
kind: LLMProvider
metadata: {name: ${model}}
spec: ${JSON.stringify({
      ...of(`http://127.0.0.1:${upstream}`),
      auth: { secretRef: { name: 'upstream', key: 'key' } },
      models: [{ name: 'up-model', capabilities: ['Chat', 'Vision'], price: { inputPerMTok: '2.50', outputPerMTok: '10.00' } }],
    })}
---
apiVersion: tollgate.dev/v1alpha1
kind: LLMRoute
metadata: {name: ${model}}
spec:
  match: [{model: {type: Exact, value: ${model}}}]
  backends: [{name: only, providerRef: {name: ${model}}, model: up-model}]
`,
  )
  .join('')}---
apiVersion: tollgate.dev/v1alpha1
kind: TenantKey
metadata: {name: bench}
spec:
  tenant: bench
  digest: "sha256:${createHash('sha256').update(KEY).digest('hex')}"`;
