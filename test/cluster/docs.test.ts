// The commands of the documentation that need a cluster, as a reader follows them: kubectl and Helm on a real API server, from a copy of the project,
// with a Redis and a Postgres. What a kubelet would start from the Deployments is started here, as processes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { copyProject } from '#test/support/clone.ts';
import { CLUSTER_PAGES, hasCommands, pageOf, scriptOf } from '#test/support/doc-commands.ts';
import { type PostgresServer, startPostgres, withoutPostgres } from '#test/support/postgres.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { within } from '#test/support/until.ts';
import { helmPath, kubectlPath, onPath } from '../../tools/places.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type Deployment, deployInstalled } from './support/deployment.ts';
import { applyForeignCrds } from './support/foreign-crds.ts';
import { withoutOwnNetwork } from './support/network.ts';

const DEADLINE_MS = 300_000;
/** From the start of the first page to what it installs. */
const INSTALLED_MS = 120_000;
/** Where `kubectl port-forward` of install.md leads from. */
const FORWARDED = 4000;

const withoutKubectl = kubectlPath() ? false : 'kubectl is not on this machine: npm run tools';
const missing = ['bash', 'curl', 'openssl', 'pg_dump', 'psql'].filter(program => !onPath(program)).join(', ');
const withoutPrograms = missing && `not on this machine: ${missing} (Debian: apt-get install curl openssl postgresql-client)`;
const skip =
  withoutApiServer || withoutOwnNetwork || withoutKubectl || withoutRedis || withoutPostgres || withoutPrograms || false;

describe('the commands for a cluster of', { skip }, () => {
  let server: ApiServer;
  let redis: TestRedis;
  let postgres: PostgresServer;
  let installed: Promise<Deployment>;
  let deployment: Deployment | undefined;
  let whyNot = 'it is not installed yet';
  let forwarded: Server;
  let env: Readonly<Record<string, string>>;
  before(async () => {
    [server, redis, postgres] = await Promise.all([startApiServer({ crds: false }), startRedis(), startPostgres()]);
    await applyForeignCrds(server);
    copyProject(path.join(server.folder, 'tollgate'));
    env = {
      PATH: `${await programsIn(server.folder)}:${process.env.PATH}`,
      HOME: server.folder,
      KUBECONFIG: (await server.access()).kubeconfig,
      REGISTRY: 'registry.example.com',
      REDIS_URL: redis.url,
      DATABASE_URL: await postgres.database(),
      OPENAI_API_KEY: 'sk-openai-0123456789abcdef',
      ANTHROPIC_API_KEY: 'sk-ant-0123456789abcdef',
    };
    await writeFile(path.join(server.folder, '.curlrc'), 'fail-with-body\n');
    installed = deployInstalled({ server, pods: 2 }, INSTALLED_MS);
    installed.then(
      running => {
        deployment = running;
      },
      error => {
        whyNot = String(error);
      },
    );
    forwarded = createServer(socket => {
      if (!deployment) return socket.destroy();
      const onward = connect(FORWARDED, deployment.pods[0]!.address);
      pipeline(socket, onward, socket, () => {});
    }).listen(FORWARDED, '127.0.0.1');
  });
  after(async () => {
    forwarded?.close();
    await installed?.catch(() => {});
    await deployment?.stop();
    await Promise.all([server?.stop(), redis?.stop(), postgres?.stop()]);
  });

  for (const name of CLUSTER_PAGES)
    test(name, async () => {
      const page = pageOf(await readFile(name, 'utf8'));
      assert.ok(hasCommands(page, 'cluster'));
      const script = path.join(server.folder, 'page.sh');
      await writeFile(script, scriptOf(name, page, 'cluster'));
      const said = await finished(script, path.join(server.folder, 'tollgate'), env);
      assert.equal(said.code, 0, `${said.output}\n${deployment?.logs().slice(-5000) ?? whyNot}`);
    });
});

/** `kubectl` and `helm` as readers call them, in a folder for PATH. */
async function programsIn(folder: string): Promise<string> {
  const programs = path.join(folder, 'programs');
  await mkdir(programs);
  await symlink(kubectlPath()!, path.join(programs, 'kubectl'));
  await symlink(helmPath()!, path.join(programs, 'helm'));
  return programs;
}

/** In a process group of its own, of which nothing is left. */
async function finished(script: string, cwd: string, env: Readonly<Record<string, string>>) {
  const shell = spawn('bash', [script], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: Buffer[] = [];
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', chunk => said.push(chunk));
  try {
    const [code] = (await within(DEADLINE_MS, `${script} is run`, once(shell, 'exit'))) as [number | null];
    return { code, output: Buffer.concat(said).toString() };
  } finally {
    try {
      process.kill(-shell.pid!, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  }
}
