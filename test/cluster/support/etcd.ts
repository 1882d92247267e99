// An etcd of its own for a test: on free ports, in a temporary folder, gone at the end.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '#test/support/ports.ts';
import { until } from '#test/support/until.ts';
import { etcdPath } from '../../../tools/places.ts';
import { ended } from './process.ts';

export type Etcd = {
  readonly url: string;
  /** Forgets all history up to now, as etcd does every five minutes in a cluster. */
  compact(): Promise<void>;
  stop(): Promise<void>;
};

export async function startEtcd(): Promise<Etcd> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tollgate-etcd-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const flags = {
    name: 'test',
    'data-dir': path.join(folder, 'data'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `test=${peer}`,
    'unsafe-no-fsync': 'true',
    'log-level': 'error',
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  // ETCD_* variables are flags too, and those of the machine are not meant for this one.
  const server: ChildProcess = spawn(etcdPath()!, args, { stdio: 'ignore', env: { ETCD_UNSUPPORTED_ARCH: process.arch } });
  await until('etcd is healthy', async () => (await fetch(`${url}/health`)).ok, 60_000);
  return {
    url,
    async compact() {
      const { header } = (await call(url, 'kv/range', { key: 'AA==' })) as { header: { revision: string } };
      await call(url, 'kv/compaction', { revision: header.revision, physical: true });
    },
    async stop() {
      await ended(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** etcd's JSON gateway. */
async function call(url: string, method: string, body: object): Promise<unknown> {
  const answer = await fetch(`${url}/v3/${method}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd ${method}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
