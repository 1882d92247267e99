// deploy/kind: what its script calls, with which files, and that those agree with each other. The commands themselves are stand-ins here, which
// write down how they were called; the chart is installed for real by the cluster tests.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { simulate } from '../../cli/simulate.ts';
import { validate } from '../../cli/validate.ts';
import { stagesOf } from '../support/dockerfile.ts';

const root = path.join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const version = (parse(read('charts/tollgate/Chart.yaml')) as { appVersion: string }).appVersion;

describe('deploy/kind/up.sh', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'tollgate-kind-'));
    for (const name of ['kind', 'docker', 'helm', 'kubectl', 'curl']) {
      // Secrets and clusters that are asked for are there or not as the test says.
      const body = `#!/bin/sh\necho ${name} "$@" >> ${folder}/calls\ncase "$*" in *"get secret"*) echo sk-made;; "get clusters") cat ${folder}/clusters;; esac\n`;
      writeFileSync(path.join(folder, name), body);
      chmodSync(path.join(folder, name), 0o755);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function calls(clusters: string): readonly string[] {
    writeFileSync(path.join(folder, 'calls'), '');
    writeFileSync(path.join(folder, 'clusters'), clusters);
    const run = spawnSync('sh', [path.join(root, 'deploy/kind/up.sh')], {
      cwd: tmpdir(),
      encoding: 'utf8',
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    });
    assert.equal(run.status, 0, run.stderr);
    return readFileSync(path.join(folder, 'calls'), 'utf8').trim().split('\n');
  }

  test('makes a cluster, builds the image, loads it, installs the chart, and asks a question', () => {
    const made = calls('');
    const wanted = [
      /^kind create cluster --config kind-config\.yaml$/,
      new RegExp(`^docker build --tag tollgate:${version} \\.$`),
      new RegExp(`^kind load docker-image tollgate:${version} --name tollgate$`),
      /^helm upgrade --install tollgate charts\/tollgate .*--namespace tollgate --create-namespace --values charts\/tollgate\/examples\/kind\.yaml --wait$/,
      /^kubectl .*apply --filename deploy\/kind\/demo\.yaml$/,
      /^curl .*127\.0\.0\.1:4000.*Bearer sk-made/,
    ];
    const places = wanted.map(pattern => made.findIndex(call => pattern.test(call)));
    assert.ok(!places.includes(-1), `${made.join('\n')}\n${places}`);
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    for (const word of made.flatMap(call => call.split(' ')))
      if (/^(deploy|charts)\/|^kind-config/.test(word)) assert.ok(existsSync(path.join(root, word)), word);
  });

  test('leaves a cluster alone that is there', () => {
    assert.deepEqual(
      calls('other\ntollgate\n').filter(call => call.startsWith('kind create')),
      [],
    );
  });
});

test("the port of this machine leads to the NodePort of the chart's values", () => {
  const { name, nodes } = parse(read('kind-config.yaml'));
  const values = parse(read('charts/tollgate/examples/kind.yaml'));
  assert.equal(name, 'tollgate');
  assert.deepEqual(nodes[0].extraPortMappings, [
    { containerPort: values.dataplane.service.nodePort, hostPort: 4000, listenAddress: '127.0.0.1', protocol: 'TCP' },
  ]);
  assert.equal(values.image.pullPolicy, 'Never');
});

test('the simulator of the demo is the image that was loaded, as its user, on a port that the network policies let through', async () => {
  const [, deployment, service] = parseAllDocuments(read('deploy/kind/demo.yaml')).map(document => document.toJS());
  const [container] = deployment.spec.template.spec.containers;
  assert.equal(container.image, `tollgate:${version}`);
  const user = stagesOf(read('Dockerfile'))
    .at(-1)!
    .steps.findLast(({ keyword }) => keyword === 'USER')!.words[0]!;
  assert.equal(deployment.spec.template.spec.securityContext.runAsUser, Number(user.split(':')[0]));
  const { engines } = parse(read('charts/tollgate/values.yaml')).networkPolicy;
  assert.ok(engines.ports.includes(service.spec.ports[0].port));
  const [file, command, ...flags] = container.args;
  assert.deepEqual([file, command], ['cli/main.ts', 'simulate']);
  const io = { out: () => undefined, err: (text: string) => assert.fail(text), stopped: Promise.resolve() };
  assert.equal(await simulate([...flags, '--help'], io), 0);
});

test('what the demo asks for is sound in a cluster that allows http', async () => {
  const said: string[] = [];
  const out = (text: string) => void said.push(text);
  const io = { out, err: out, env: { ALLOW_HTTP_UPSTREAMS: 'true' }, color: false };
  assert.equal(await validate(['--cluster', path.join(root, 'deploy/kind/demo.yaml')], io), 0, said.join(''));
});

test('shell scripts are sound', t => {
  const scripts = globSync('{deploy/**/*.sh,.ci/run}', { cwd: root });
  assert.ok(scripts.length >= 3);
  for (const script of scripts) assert.equal(spawnSync('bash', ['-n', script], { cwd: root }).status, 0, script);
  if (spawnSync('shellcheck', ['--version']).status !== 0)
    return t.skip('read by bash only: shellcheck is not installed (Debian: apt-get install shellcheck)');
  const { status, stdout } = spawnSync('shellcheck', scripts, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
