// The commands of deploy/compose.yaml as processes of this machine, with the environment and the files that it gives them, on free ports: the
// gateway before its stores, and everything together.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type ComposeFile, filesOf, readCompose, type Service } from '../support/compose.ts';
import { pairsOf, stagesOf } from '../support/dockerfile.ts';
import { freePort } from '../support/ports.ts';
import { type PostgresServer, startPostgres, withoutPostgres } from '../support/postgres.ts';
import { withoutRedis } from '../support/redis.ts';
import { until, within } from '../support/until.ts';

const root = path.join(import.meta.dirname, '..', '..');
const composeFile = path.join(root, 'deploy', 'compose.yaml');
const withoutPrometheus =
  spawnSync('prometheus', ['--version']).status === 0
    ? false
    : 'Prometheus is not installed (Debian: apt-get install prometheus)';

const variables = {
  TOLLGATE_MASTER_KEY: 'sk-master-00112233445566778899aabbccddeeff',
  REDIS_PASSWORD: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
  POSTGRES_PASSWORD: 'f0e1d2c3b4a5968778695a4b3c2d1e0f',
  GRAFANA_PASSWORD: '00ff11ee22dd33cc44bb55aa66997788',
};

/** What the image adds to a service of it: its environment and its command. */
const image = (() => {
  const steps = stagesOf(readFileSync(path.join(root, 'Dockerfile'), 'utf8')).at(-1)!.steps;
  const words = (keyword: string) => steps.findLast(step => step.keyword === keyword)!.words;
  return { env: pairsOf(steps.find(({ keyword }) => keyword === 'ENV')!), command: [...words('ENTRYPOINT'), ...words('CMD')] };
})();

describe('the Compose file, as processes', { skip: withoutRedis || withoutPostgres || withoutPrometheus }, () => {
  let compose: ComposeFile;
  let folder: string;
  let postgres: PostgresServer;
  /** By `HOST:PORT` in the network of Compose, where it is here. */
  let addresses: Readonly<Record<string, string>>;
  const processes = new Map<string, { readonly child: ChildProcess; readonly said: Buffer[] }>();

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'tollgate-compose-'));
    compose = readCompose(composeFile, variables);
    postgres = await startPostgres();
    const ledger = new URL(await postgres.database());
    await postgres.kill();
    const here = async () => `127.0.0.1:${await freePort()}`;
    addresses = {
      'gateway:4000': await here(),
      'gateway:4001': await here(),
      'redis:6379': await here(),
      'postgres:5432/tollgate': `${ledger.host}${ledger.pathname}`,
      'prometheus:9090': await here(),
    };
  });
  after(async () => {
    for (const name of [...processes.keys()].reverse()) await ended(name);
    await postgres?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const portOf = (address: string) => addresses[address]!.split(':')[1]!;
  const translated = (text: string) =>
    Object.entries(addresses).reduce((done, [there, here]) => done.replaceAll(there, here), text);
  const logs = (name: string) => Buffer.concat(processes.get(name)!.said).toString();

  function run(name: string, [command, ...args]: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const child = spawn(command!, args, {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: Buffer[] = [];
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => said.push(chunk));
    processes.set(name, { child, said });
  }

  async function ended(name: string): Promise<number | null> {
    const { child } = processes.get(name)!;
    processes.delete(name);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit').then(([code]) => code as number | null);
    child.kill('SIGTERM');
    return within(20_000, `${name} ends`, exit);
  }

  /** The healthcheck's own command. */
  const isWell = (name: string, more: readonly string[] = [], env: Readonly<Record<string, string>> = {}) => {
    const [, command, ...args] = (compose.services[name] as Service).healthcheck!.test;
    const local = args.map(arg => arg.replaceAll(/127\.0\.0\.1:(\d+)/g, (_, port) => `127.0.0.1:${portOf(`${name}:${port}`)}`));
    return spawnSync(command!, [...more, ...local], { env: { PATH: process.env.PATH, ...env } }).status === 0;
  };

  const environmentOf = (name: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(compose.services[name]!.environment ?? {}).map(([key, value]) => [key, translated(String(value))]),
    );

  const readiness = async () =>
    (await (await fetch(`http://${addresses['gateway:4000']}/health/readiness`)).json()) as { degraded: readonly string[] };

  async function chat(): Promise<Response> {
    const key = await until('it prints a key', () => /Bearer (sk-local-\S+?)'/.exec(logs('gateway'))?.[1]);
    return fetch(`http://${addresses['gateway:4000']}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: `What time is it at ${performance.now()}?` }] }),
    });
  }

  test('the gateway serves before Redis and Postgres are there', async () => {
    run('gateway', image.command, {
      ...image.env,
      ...environmentOf('gateway'),
      // What a container has to itself.
      HOST: '127.0.0.1',
      PORT: portOf('gateway:4000'),
      INTERNAL_PORT: portOf('gateway:4001'),
      TOLLGATE_DATA: path.join(folder, 'data'),
      NODE_COMPILE_CACHE: 'node_modules/.cache/compile',
    });
    await until('its healthcheck passes', () => isWell('gateway'), 30_000).catch(error => {
      throw new Error(logs('gateway'), { cause: error });
    });
    await until('it misses both stores', async () => (await readiness()).degraded.length === 2, 30_000);
    assert.equal((await chat()).status, 200);
  });

  test('it finds them when they come, Postgres first, and Redis with the password that it was given', async () => {
    await postgres.start();
    assert.ok(isWell('postgres', ['-h', '127.0.0.1', '-p', new URL(`http://${addresses['postgres:5432/tollgate']}`).port]));
    const redis = compose.services.redis!;
    run('redis', [...redis.command!, '--port', portOf('redis:6379'), '--bind', '127.0.0.1', '--dir', folder]);
    await until('its healthcheck passes', () => isWell('redis', ['-p', portOf('redis:6379')], environmentOf('redis')), 20_000);
    const anybody = execFileSync('redis-cli', ['-p', portOf('redis:6379'), 'ping'], { encoding: 'utf8' });
    assert.match(anybody, /NOAUTH/);
    await until('nothing is away any more', async () => (await readiness()).degraded.length === 0, 60_000);
    assert.equal((await chat()).status, 200);
  });

  test('what was asked meanwhile is in the ledger', async () => {
    const client = new pg.Client(environmentOf('gateway').DATABASE_URL);
    await client.connect();
    try {
      await until(
        'both requests are rows',
        async () => Number((await client.query("select count(*) from attempts where state = 'settled'")).rows[0].count) === 2,
        60_000,
      );
    } finally {
      await client.end();
    }
  });

  test('Prometheus scrapes it with the mounted file, and takes all rules', async () => {
    const prometheus = compose.services.prometheus!;
    const files = filesOf(prometheus, composeFile);
    // The mounted files, at the places and addresses of this machine.
    const config = path.join(folder, 'prometheus.yaml');
    const rules = '/etc/prometheus/tollgate.rules.yaml';
    const text = readFileSync(files['/etc/prometheus/prometheus.yaml']!, 'utf8');
    assert.ok(text.includes(rules) && text.includes('gateway:4001'));
    writeFileSync(config, translated(text).replace(rules, files[rules]!).replaceAll('15s', '1s'));
    const flags = prometheus.command!.map(flag =>
      flag.replace('/etc/prometheus/prometheus.yaml', config).replace('=/prometheus', `=${path.join(folder, 'metrics')}`),
    );
    run('prometheus', ['prometheus', ...flags, `--web.listen-address=${addresses['prometheus:9090']}`]);
    const get = async (what: string) => {
      const answer = await fetch(`http://${addresses['prometheus:9090']}/api/v1/${what}`);
      return ((await answer.json()) as { data: Record<string, readonly Record<string, unknown>[]> }).data;
    };
    await until(
      'the gateway is scraped',
      async () => (await get('query?query=sum(tollgate_requests_total{job="tollgate"})')).result![0]?.value !== undefined,
      60_000,
    ).catch(error => {
      throw new Error(logs('prometheus'), { cause: error });
    });
    assert.equal((await get('targets')).activeTargets![0]!.health, 'up');
    const { groups } = (await get('rules')) as unknown as { groups: readonly { rules: readonly { lastError?: string }[] }[] };
    assert.ok(groups.length > 1);
    assert.deepEqual(
      groups.flatMap(({ rules }) => rules.flatMap(({ lastError }) => lastError ?? [])),
      [],
    );
  });

  test('it ends within the grace period that it has, with nothing left undone', async () => {
    assert.equal(await ended('gateway'), 0);
  });
});
