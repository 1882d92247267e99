import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { crds } from './crds.ts';
import { generatedFiles, outOfStep } from './gen.ts';
import { validate } from './validate.ts';

const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {openai: $(OPENAI_API_KEY)}\n';
const provider = `apiVersion: tollgate.dev/v1alpha1
kind: LLMProvider
metadata: {name: openai}
spec:
  type: OpenAI
  auth: {secretRef: {name: keys, key: openai}}
  models: [{name: gpt-4o}]
  circuitBreaker: {consecutiveFailures: 10}
`;
const key = `apiVersion: tollgate.dev/v1alpha1
kind: TenantKey
metadata: {name: client}
spec:
  tenant: acme
  generate: {secretName: client-key}
  rotation: {every: 2160h}
`;

describe('tollgate validate', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-validate-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function run(
    files: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    env = { OPENAI_API_KEY: 'sk-canary-0123456789' },
  ) {
    const base = await mkdtemp(join(folder, 'case-'));
    for (const [name, content] of Object.entries(files)) await writeFile(join(base, name), content);
    const out: string[] = [];
    const code = await validate([...args, base], { out: text => out.push(text), err: () => {}, env, color: false });
    return { code, out: out.join('').replaceAll(`${base}/`, '') };
  }

  test('says of each object where it is and which of its fields are not yet in force, and exits 0 when all is sound', async () => {
    const { code, out } = await run({ 'a.yaml': `${secret}---\n${provider}---\n${key}` });
    assert.equal(
      out,
      '✓ LLMProvider default/openai  a.yaml:6\n✓ TenantKey default/client  a.yaml:15\n    not yet in force: spec.rotation\n1 file, 2 objects: all sound\n',
    );
    assert.equal(code, 0);
  });

  test('gives file, line, field and reason of what is unsound, and exits 1', async () => {
    const { code, out } = await run({
      'a.yaml': provider.replace('consecutiveFailures: 10', 'minRequests: ten, minRequest: 1'),
      'b.yaml': 'a: [1\n---\nb: 1\n',
    });
    assert.equal(
      out,
      [
        '✗ b.yaml:1\n    is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
        '✗ LLMProvider default/openai Invalid, not live  a.yaml:1',
        '    a.yaml:8: spec.circuitBreaker.minRequests: must be a number, not a string',
        '    a.yaml:8: spec.circuitBreaker.minRequest: is not a known field',
        '✗ object default/? Invalid, not live  b.yaml:3',
        '    b.yaml:3: apiVersion: must be tollgate.dev/v1alpha1 with one of the kinds LLMProvider, LLMRoute, TenantKey',
        '2 files, 2 objects: 2 unsound, 1 not readable\n',
      ].join('\n'),
    );
    assert.equal(code, 1);
  });

  test('takes Secrets from the environment, and never prints one', async () => {
    const { code, out } = await run({ 'a.yaml': `${secret}---\n${provider}` }, ['--json']);
    assert.equal(code, 0);
    assert.doesNotMatch(out, /canary/);
    const missing = await run({ 'a.yaml': `${secret}---\n${provider}` }, [], { OPENAI_API_KEY: '' });
    assert.equal(missing.code, 1);
    assert.match(missing.out, /SecretKeyMissing, not live.*\n.*the environment variable OPENAI_API_KEY is not set/);
  });

  test('lets a variable that is not set count as set where asked to', async () => {
    const { code } = await run({ 'a.yaml': `${secret}---\n${provider}` }, ['--assume-env'], { OPENAI_API_KEY: '' });
    assert.equal(code, 0);
  });

  test('judges as in a cluster where asked to', async () => {
    const local = provider.replace('  auth', '  openAI: {baseURL: "http://127.0.0.1:1/v1"}\n  auth');
    assert.equal((await run({ 'a.yaml': `${secret}---\n${local}` })).code, 0);
    assert.match((await run({ 'a.yaml': `${secret}---\n${local}` }, ['--cluster'])).out, /must begin with https/);
  });

  test('has one JSON document for machines', async () => {
    const { code, out } = await run({ 'a.yaml': `${key}  colour: red\n` }, ['--json']);
    const { sound, verdicts } = JSON.parse(out) as { sound: boolean; verdicts: { name: string; problems: unknown }[] };
    assert.deepEqual([code, sound, verdicts[0]?.name], [1, false, 'client']);
    assert.deepEqual(verdicts[0]?.problems, [{ path: 'spec.colour', line: 8, message: 'is not a known field' }]);
  });

  test('exits 2 on what it does not understand', async () => {
    assert.deepEqual([(await run({}, ['--colour'])).code, (await run({}, [], { OPENAI_API_KEY: '' })).code], [2, 0]);
    const noFolder = await validate([], { out: () => {}, err: () => {}, env: {}, color: false });
    const badBlock = await validate([folder], {
      out: () => {},
      err: () => {},
      env: { ALLOW_UPSTREAM_CIDRS: '10.0.0.0/64' },
      color: false,
    });
    assert.deepEqual([noFolder, badBlock], [2, 2]);
  });

  test('exits 1 for a folder that is not there', async () => {
    const out: string[] = [];
    const io = { out: (text: string) => out.push(text), err: () => {}, env: {}, color: false };
    assert.equal(await validate([join(folder, 'nowhere')], io), 1);
    assert.match(out.join(''), /cannot be found or read/);
  });
});

test('tollgate crds prints every definition', async () => {
  const printed: string[] = [];
  assert.equal(await crds([], { out: text => printed.push(text), err: () => {} }), 0);
  const out = printed.join('');
  assert.deepEqual(out.match(/^ {2}name: .*$/gm), [
    '  name: llmproviders.tollgate.dev',
    '  name: llmroutes.tollgate.dev',
    '  name: tenantkeys.tollgate.dev',
  ]);
});

test('the generated files are in step with the schemas (npm run gen writes them)', async () => {
  assert.deepEqual(await outOfStep(join(import.meta.dirname, '..')), []);
  assert.deepEqual(await outOfStep(tmpdir()), [...generatedFiles().keys()]);
});
