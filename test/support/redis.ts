// A redis-server for tests: on a free port, in a temporary folder, nothing kept on disk.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './ports.ts';
import { until } from './until.ts';

export type TestRedis = {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** A connection of the test's own, to look and to disturb; made when first asked for. */
  readonly client: Redis;
  /** Stops answering without closing anything, as a machine that hangs. */
  pause(): void;
  resume(): void;
  /** All it has, as it is now, for another one to begin with. */
  dump(): Promise<Buffer>;
  stop(): Promise<void>;
};

/** false, or why a test that needs a Redis is skipped. */
export const withoutRedis: string | false =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not installed on this machine';

export type RedisOptions = {
  /** To start it again where it was. */
  readonly port?: number;
  readonly cluster?: boolean;
  /** What it begins with: the file that `SAVE` wrote. */
  readonly dump?: Buffer;
};

export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(path.join(tmpdir(), 'tollgate-redis-'));
  if (options.dump) await writeFile(path.join(folder, 'dump.rdb'), options.dump);
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, '--databases', 4];
  if (options.cluster)
    args.push(
      '--cluster-enabled',
      'yes',
      '--cluster-announce-ip',
      '127.0.0.1',
      '--cluster-node-timeout',
      2000,
      '--cluster-port',
      await freePort(),
    );
  const server = spawn('redis-server', args.map(String), { stdio: 'ignore' });
  goFirst(server);
  await until('redis-server accepts connections', () => accepts(port));
  if (options.cluster) await ownAllSlots(port);
  return new RunningRedis(server, port, folder);
}

/** It is to answer within milliseconds, and shares two cores with a whole fleet and its clients here. Only root may let it go first. */
function goFirst({ pid }: ChildProcess): void {
  try {
    setPriority(pid!, -10);
  } catch {}
}

class RunningRedis implements TestRedis {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  readonly #server: ChildProcess;
  readonly #folder: string;
  #client: Redis | undefined;

  constructor(server: ChildProcess, port: number, folder: string) {
    this.#server = server;
    this.#folder = folder;
    this.port = port;
    this.pid = server.pid!;
    this.url = `redis://127.0.0.1:${port}`;
  }

  get client(): Redis {
    this.#client ??= new Redis({ port: this.port, host: '127.0.0.1' }).on('error', () => undefined);
    return this.#client;
  }

  pause(): void {
    this.#server.kill('SIGSTOP');
  }

  resume(): void {
    this.#server.kill('SIGCONT');
  }

  async dump(): Promise<Buffer> {
    await this.client.save();
    return readFile(path.join(this.#folder, 'dump.rdb'));
  }

  async stop(): Promise<void> {
    this.#client?.disconnect();
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      const ended = once(this.#server, 'exit');
      this.resume();
      this.#server.kill('SIGKILL');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function ownAllSlots(port: number): Promise<void> {
  const client = new Redis({ port, host: '127.0.0.1' });
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until('the cluster is whole', async () => String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  client.disconnect();
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
