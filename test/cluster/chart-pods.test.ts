// What the chart's pods do, as processes: `helm test` tells a Tollgate that is well from one that is not, and the Redis of dev mode takes its arguments.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { freePort } from '#test/support/ports.ts';
import { until } from '#test/support/until.ts';
import { onPath } from '../../tools/places.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type Container, named, type PodSpec, podSpec, type Ran, rendered, run, withoutHelm } from './support/chart.ts';
import { type Deployment, deploy, SYSTEM } from './support/deployment.ts';
import { withoutOwnNetwork } from './support/network.ts';
import { ended } from './support/process.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const dev = { dev: { enabled: true } };

describe('helm test', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let deployment: Deployment;
  let container: Container;
  before(async () => {
    server = await startApiServer();
    deployment = await deploy({ server, pods: 1 });
    const team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('client', { key: KEY });
    await team.key('client', { tenant: 'team', secretRef: { name: 'client', key: 'key' } });
    await team.conditions('tenantkeys', 'client', 'Programmed');
    const pod = named(await rendered(SYSTEM), 'Pod', 'tollgate-test') as unknown as { spec: PodSpec };
    container = pod.spec.containers[0]!;
  });
  after(async () => {
    await deployment?.stop();
    await server?.stop();
  });

  const asked = (env: Readonly<Record<string, string>>): Promise<Ran> =>
    run(process.execPath, container.args, {
      env: { GATEWAY: deployment.pods[0]!.url, OPERATOR: deployment.operatorUrl, ...env },
    });

  test('passes where all is well, with and without a key', async () => {
    const without = await asked({});
    assert.equal(without.status, 0, without.stderr);
    assert.match(without.stdout, /without a key nobody is let in: 401/);
    const withKey = await asked({ KEY });
    assert.equal(withKey.status, 0, withKey.stderr);
    assert.match(withKey.stdout, /the key is let in: 200/);
  });

  test('fails with a key that is wrong, and says what it asked', async () => {
    const { status, stderr } = await asked({ KEY: 'sk-wrong-0123456789abcdef0123456789' });
    assert.notEqual(status, 0);
    assert.match(stderr, /the key is let in: .*\/v1\/models answered 401, not 200/);
  });

  test('fails where one of both is away', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    assert.notEqual((await asked({ GATEWAY: nobody })).status, 0);
    assert.notEqual((await asked({ OPERATOR: nobody })).status, 0);
  });
});

describe('the Redis of dev mode', { skip: withoutHelm || (onPath('redis-server') ? false : 'there is no redis-server') }, () => {
  test('asks for its password, evicts nothing, and is where REDIS_URL says', async () => {
    const manifests = await rendered(SYSTEM, dev);
    const { args, ports } = podSpec(manifests, 'tollgate-redis').containers[0]!;
    const { data } = named(manifests, 'Secret', 'tollgate-dev') as unknown as { data: Record<string, string> };
    const url = new URL(atob(data.REDIS_URL!));
    const service = named(manifests, 'Service', url.hostname) as unknown as {
      spec: { ports: { port: number; targetPort: string }[] };
    };
    assert.deepEqual(
      service.spec.ports.map(({ port, targetPort }) => [String(port), targetPort]),
      [[url.port, 'redis']],
    );
    assert.equal(ports[0]!.containerPort, 6379);

    const port = await freePort();
    const given = args.slice(1).map(arg => arg.replace('$(PASSWORD)', atob(data.password!)));
    const child = spawn(onPath(args[0]!)!, [...given, '--port', String(port), '--bind', '127.0.0.1', '--dir', '/tmp'], {
      stdio: 'ignore',
    });
    const client = (password: string) =>
      new Redis({ port, password, maxRetriesPerRequest: 0, retryStrategy: null, lazyConnect: true });
    const clients = [client(url.password), client('wrong')] as const;
    for (const each of clients) each.on('error', () => {});
    try {
      await until('it answers', async () => {
        const probe = client(url.password);
        probe.on('error', () => {});
        try {
          return (await probe.ping()) === 'PONG';
        } finally {
          probe.disconnect();
        }
      });
      assert.deepEqual(await clients[0].config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction']);
      await assert.rejects(clients[1].ping());
    } finally {
      for (const each of clients) each.disconnect();
      await ended(child);
    }
  });
});
