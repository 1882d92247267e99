// The Dockerfile as a text: what a linter says of it, and that it agrees with the code on versions, ports and paths.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { validate } from 'dockerfile-utils';
import { settingsOf } from '../../cli/settings.ts';
import { contextFiles, pairsOf, stagesOf } from '../support/dockerfile.ts';

const root = path.join(import.meta.dirname, '..', '..');
const text = readFileSync(path.join(root, 'Dockerfile'), 'utf8');
const stages = stagesOf(text);
const last = stages.at(-1)!;
const wordsOf = (keyword: string) => last.steps.filter(step => step.keyword === keyword).flatMap(step => step.words);
const env = Object.assign({}, ...last.steps.filter(({ keyword }) => keyword === 'ENV').map(pairsOf)) as Record<string, string>;

test('the linter has nothing to say, and would have', () => {
  assert.deepEqual(validate(text), []);
  assert.equal(validate(`${text}\nEXPOZE 1`).length, 1);
});

test('every stage is of the Node that the tests run on', () => {
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const { base } of stages)
    assert.match(base, new RegExp(`^node:${devDependencies.node.replaceAll('.', '\\.')}-\\w+-slim$`));
});

test('it runs as a user by number, so that Kubernetes can tell that this is not root', () => {
  const [uid, gid] = wordsOf('USER').at(-1)!.split(':').map(Number);
  assert.ok(uid! > 0 && gid! > 0);
});

test('the compile cache is filled by the user who reads it', () => {
  const filling = stages[0]!.steps.filter(({ keyword }) => keyword === 'USER').at(-1)!;
  assert.deepEqual(filling.words, wordsOf('USER'));
  assert.ok(
    stages[0]!.steps.some(({ text }) => text.includes(`NODE_COMPILE_CACHE=${env.NODE_COMPILE_CACHE} node cli/main.ts warm`)),
  );
});

test('ports, address and data folder are those of the settings', () => {
  const { host, port, internalPort, dataFolder } = settingsOf(env);
  assert.deepEqual(wordsOf('EXPOSE'), [String(port), String(internalPort)]);
  assert.equal(host, '0.0.0.0');
  assert.deepEqual(wordsOf('VOLUME'), [dataFolder]);
});

test('no shell stands between the engine and Node', () => {
  assert.deepEqual(wordsOf('ENTRYPOINT'), ['node']);
  assert.deepEqual(wordsOf('CMD'), ['cli/main.ts', 'run']);
});

test('the build sees what the product is made of, and neither tests nor history nor keys that were made here', () => {
  const files = contextFiles(root);
  for (const file of ['package-lock.json', 'cli/main.ts', 'dataplane/main.ts', 'operator/main.ts', 'deploy/standalone/keys.yaml'])
    assert.ok(files.includes(file), file);
  assert.deepEqual(
    files.filter(file => /^(\.|test\/|docs\/|node_modules\/)|\.test\.ts$|\/testdata\//.test(file)),
    [],
  );
});
