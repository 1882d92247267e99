// The real gateway as a process of its own, from YAML text: what a user starts, seen from outside only.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './ports.ts';
import { until, within } from './until.ts';

const root = path.join(import.meta.dirname, '..', '..');

export type Gateway = {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly internalUrl: string;
  readonly pid: number;
  readonly masterKey: string;
  /** Milliseconds from the start of the process to the first 200 of its readiness. */
  readonly readyAfterMs: number;
  /** Everything it has written so far, both streams. */
  logs(): string;
  /** Replaces the configuration in one step, as editors and Kubernetes do. */
  configure(yaml: string): void;
  readonly configFolder: string;
  /** Not there until something is kept in it. */
  readonly dataFolder: string;
  /** Resident memory in MiB. */
  rssMiB(): number;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  terminate(): void;
  /** At once, as the kernel does it to a process that takes too much memory. */
  kill(): Promise<void>;
  isAlive(): boolean;
  readonly exited: Promise<number | null>;
};

export type GatewayOptions = {
  readonly yaml: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments for Node itself, such as a module to load first. */
  readonly nodeArguments?: readonly string[];
  /** Told before it is ready: a way to end it while it starts. */
  readonly onSpawn?: (child: Pick<ChildProcess, 'kill'>) => void;
};

const READY_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 15_000;

export async function startGateway({ yaml, env = {}, nodeArguments = [], onSpawn }: GatewayOptions): Promise<Gateway> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-test-'));
  const config = path.join(folder, 'config');
  const dataFolder = path.join(folder, 'data');
  const configure = writerOf(config);
  configure(yaml);
  const [port, internalPort] = [await freePort(), await freePort()];
  const masterKey = 'sk-master-00112233445566778899aabbccddeeff';
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...nodeArguments, 'cli/main.ts', 'run', '--config', config], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      // As package.json's `start` has it.
      NODE_COMPILE_CACHE: 'node_modules/.cache/compile',
      HOME: folder,
      HOST: '127.0.0.1',
      PORT: String(port),
      INTERNAL_PORT: String(internalPort),
      TOLLGATE_DATA: dataFolder,
      TOLLGATE_MASTER_KEY: masterKey,
      LOG_LEVEL: 'info',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onSpawn?.(child);
  const logs = collectOutput(child);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  void exited.then(() => rmSync(folder, { recursive: true, force: true }));
  const url = `http://127.0.0.1:${port}`;
  try {
    await ready(url, child);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`the gateway did not become ready. Its output:\n${logs()}`, { cause: error });
  }
  return {
    url,
    port,
    internalUrl: `http://127.0.0.1:${internalPort}`,
    pid: child.pid!,
    masterKey,
    readyAfterMs: performance.now() - startedAt,
    logs,
    configure,
    configFolder: config,
    dataFolder,
    rssMiB: () => residentMiB(child.pid!),
    terminate: () => void child.kill('SIGTERM'),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    isAlive: () => !isOver(child),
    exited,
    async stop() {
      if (!isOver(child)) child.kill('SIGTERM');
      try {
        return await within(STOP_DEADLINE_MS, 'the gateway stops', exited);
      } catch (error) {
        child.kill('SIGKILL');
        throw error;
      }
    },
  };
}

function writerOf(config: string): (yaml: string) => void {
  return yaml => {
    const staged = `${config}.staged`;
    mkdirSync(config, { recursive: true });
    writeFileSync(staged, yaml);
    renameSync(staged, path.join(config, 'tollgate.yaml'));
  };
}

function collectOutput(child: ChildProcess): () => string {
  const chunks: Buffer[] = [];
  child.stdout!.on('data', chunk => chunks.push(chunk));
  child.stderr!.on('data', chunk => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  await until(
    'the gateway is ready',
    async () => {
      if (isOver(child)) return 'exited' as const;
      const response = await fetch(`${url}/health/readiness`);
      await response.arrayBuffer();
      return response.status === 200;
    },
    READY_DEADLINE_MS,
  );
  if (isOver(child)) throw new Error(`it ended with exit code ${child.exitCode ?? child.signalCode}`);
}

const isOver = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** Linux only, as the tests that ask for it say. */
function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}
