// The steps of the Dockerfile carried out, and every role started in what comes of them: as process 1, as the image's user, on a read-only root,
// on the ports that it names. No container engine is needed; see test/support/image.ts.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stringify } from 'yaml';
import { buildImage, type Container, type Image, withoutImages } from '../support/image.ts';
import { until } from '../support/until.ts';

const DEADLINE_MS = 60_000;
const projectRoot = path.join(import.meta.dirname, '..', '..');

describe('the image', { skip: withoutImages }, () => {
  let image: Image;
  let folder: string;
  before(() => {
    image = buildImage(projectRoot);
    folder = mkdtempSync(path.join(tmpdir(), 'tollgate-image-test-'));
  });
  after(() => {
    image?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  test('has what runs, and nothing else', () => {
    const app = path.join(image.root, 'app');
    const { packages } = JSON.parse(readFileSync(path.join(projectRoot, 'package-lock.json'), 'utf8'));
    const locked = Object.entries<{ dev?: boolean; optional?: boolean }>(packages).filter(([at]) => at !== '');
    assert.deepEqual(
      locked
        .filter(([at, { dev, optional }]) => !optional && existsSync(path.join(app, at)) === (dev === true))
        .map(([at]) => at),
      [],
    );
    assert.deepEqual(
      readdirSync(app, { recursive: true, encoding: 'utf8' }).filter(file => /^(?!node_modules).*\.test\.ts$/.test(file)),
      [],
    );
    assert.deepEqual(readdirSync(path.join(image.root, 'usr/local/bin')), ['node']);
  });

  test('serves its bundled configuration, keeps what it makes in its volume, and ends on SIGTERM', async () => {
    const gateway = await image.start();
    await isUp(gateway, 'http://127.0.0.1:4000/health/readiness');
    const key = await until('it prints a key', () => /Bearer (sk-local-\S+?)'/.exec(gateway.logs())?.[1], DEADLINE_MS);
    const answer = gateway.fetch('http://127.0.0.1:4000/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'What is the capital of France?' }] }),
    });
    assert.equal(answer.status, 200, answer.body);
    assert.ok(JSON.parse(answer.body).choices[0].message.content.length > 0);
    assert.match(gateway.fetch('http://127.0.0.1:4001/metrics').body, /tollgate_requests_total/);
    assert.equal(await gateway.stop(), 0);
  });

  test('can write to its volume and nowhere else, whoever it runs as', async () => {
    const tries = `
      const places = ['/data/x', '/app/x', '/tmp/x', '/x', '/app/.cache/compile/x'];
      const can = place => { try { fs.writeFileSync(place, ''); return true } catch { return false } };
      console.log(process.pid, process.getuid(), JSON.stringify(places.filter(can)));`;
    for (const [user, says] of [
      ['1000:1000', '1 1000 ["/data/x"]'],
      ['1000660000:0', '1 1000660000 ["/data/x"]'],
    ] as const) {
      const run = await image.start({ command: ['-e', tries], user });
      assert.equal(await run.exited, 0, run.logs());
      assert.match(run.logs(), new RegExp(says.replaceAll(/[[\]/]/g, '\\$&')));
    }
  });

  for (const [role, command] of [
    ['without a cluster', ['cli/main.ts', 'run']],
    ['as data plane', ['dataplane/main.ts']],
    ['as operator', ['operator/main.ts']],
    ['that migrates', ['cli/main.ts', 'migrate']],
    ['that validates', ['cli/main.ts', 'validate', '--assume-env', 'deploy/standalone']],
  ] as const)
    test(`compiles nothing when it starts ${role}`, async () => {
      // A setting that cannot be ends the long-lived ones as soon as all is loaded.
      const run = await image.start({ command, env: { NODE_DEBUG_NATIVE: 'COMPILE_CACHE', PORT: 'none' } });
      await run.exited;
      assert.match(run.logs(), /retrieving transpile cache for StrippedTypeScript \S+\.\.\.success/);
      assert.doesNotMatch(run.logs(), /no transpile cache for StrippedTypeScript/);
    });

  describe('in a cluster whose API server is away', () => {
    let mounts: Record<string, string>;
    before(() => {
      const file = path.join(folder, 'kubeconfig');
      writeFileSync(
        file,
        stringify({
          'current-context': 'away',
          contexts: [{ name: 'away', context: { cluster: 'away', user: 'nobody' } }],
          clusters: [{ name: 'away', cluster: { server: 'http://127.0.0.1:6443', 'insecure-skip-tls-verify': true } }],
          users: [{ name: 'nobody', user: { token: 'none' } }],
        }),
      );
      mounts = { '/etc-tollgate/kubeconfig': file };
    });
    const env = { KUBECONFIG: '/etc-tollgate/kubeconfig', POD_NAMESPACE: 'tollgate', POD_NAME: 'pod-1' };

    test('the operator lives, is not ready, and ends on SIGTERM', async () => {
      const operator = await image.start({ command: ['operator/main.ts'], env, mounts });
      await isUp(operator, 'http://127.0.0.1:4001/livez');
      assert.equal(operator.fetch('http://127.0.0.1:4001/readyz').status, 503);
      assert.equal(await operator.stop(), 0, operator.logs());
    });

    test('the data plane ends on a SIGTERM that comes while it waits for its configuration', async () => {
      const plane = await image.start({ command: ['dataplane/main.ts'], env, mounts });
      await until('it says what it waits for', () => /configuration: /.test(plane.logs()), DEADLINE_MS);
      assert.equal(await plane.stop(), 0, plane.logs());
    });

    test('the data plane goes on without, lives, and is not ready', async () => {
      const plane = await image.start({ command: ['dataplane/main.ts'], env, mounts });
      await isUp(plane, 'http://127.0.0.1:4001/livez');
      assert.equal(plane.fetch('http://127.0.0.1:4001/readyz').status, 503);
      assert.equal(await plane.stop(), 0, plane.logs());
    });
  });
});

const isUp = (container: Container, url: string) =>
  until(`${url} answers`, () => container.fetch(url).status === 200, DEADLINE_MS).catch(error => {
    throw new Error(container.logs(), { cause: error });
  });
