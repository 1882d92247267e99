// A Postgres server of its own for a test file, from the machine's packages: a cluster in a temporary folder, reached by a Unix socket
// there and on a free port of 127.0.0.1. It forgets nothing between `kill` and `start`, and everything at `stop`.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './ports.ts';
import { until } from './until.ts';

export type PostgresServer = {
  /** Of a new, empty database. */
  database(): Promise<string>;
  /** After `kill`. */
  start(): Promise<void>;
  /** At once, as if the machine had failed. */
  kill(): Promise<void>;
  /** Stands still, with its connections open, until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
};

/** Where Debian and others put the server, the newest version first. */
const binaries = globSync(['/usr/lib/postgresql/*/bin', '/usr/local/{bin,pgsql/bin}', '/opt/homebrew/opt/postgresql*/bin'])
  .filter(folder => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
  .toSorted()
  .toReversed()[0];

/** For the `skip` of a test; false where there is a server. */
export const withoutPostgres: string | false = binaries
  ? false
  : 'no Postgres server on this machine (Debian: apt-get install postgresql)';

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-postgres-'));
  const owner = unprivileged();
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const cluster = join(folder, 'cluster');
  const initdb = ['-D', cluster, '-U', 'tollgate', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  execFileSync(join(binaries!, 'initdb'), initdb, { ...owner, cwd: folder, stdio: 'ignore' });
  const port = await freePort();
  const address = `postgres://tollgate@127.0.0.1:${port}`;
  let server: ChildProcess | undefined;
  let databases = 0;

  async function start(): Promise<void> {
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: folder,
      // What is committed reaches the operating system: it outlives the server, if not the machine.
      fsync: 'off',
      full_page_writes: 'off',
      max_connections: 60,
      shared_buffers: '256MB',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    server = spawn(join(binaries!, 'postgres'), ['-D', cluster, ...options], { ...owner, cwd: folder, stdio: 'ignore' });
    await until('Postgres answers', () => answers(`${address}/postgres`), 30_000);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  // A test that ends without `stop` leaves no server behind.
  process.once('exit', () => {
    server?.kill('SIGQUIT');
    removed(folder);
  });
  await start();
  return {
    async database() {
      const name = `test_${databases++}`;
      await run(`${address}/postgres`, `create database ${name}`);
      return `${address}/${name}`;
    },
    start,
    // "Immediate shutdown": no checkpoint, all children are ended. After SIGKILL of the parent they would live on for a while.
    kill: () => end('SIGQUIT'),
    pause: () => void signalAll(cluster, 'SIGSTOP'),
    resume: () => void signalAll(cluster, 'SIGCONT'),
    async stop() {
      signalAll(cluster, 'SIGCONT');
      await end('SIGQUIT');
      removed(folder);
    },
  };
}

/** Children of the server may write for a moment after it has ended. */
const removed = (folder: string): void => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });

/** Postgres refuses to run as root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(user![2]), gid: Number(user![3]) };
}

/** The server and its children, which are the processes of its own making alone. */
function signalAll(cluster: string, signal: NodeJS.Signals): void {
  const file = join(cluster, 'postmaster.pid');
  if (!existsSync(file)) return;
  const parent = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').filter(Boolean);
  for (const pid of [parent, ...children.map(Number)]) signalled(pid, signal);
}

/** A child that serves a connection may have ended meanwhile. */
function signalled(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  await run(url, 'select 1');
  return true;
}

export async function run(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}
