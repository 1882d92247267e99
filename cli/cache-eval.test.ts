import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { cacheEval } from './cache-eval.ts';

const file = (text: string): string => {
  const name = path.join(mkdtempSync(path.join(tmpdir(), 'cache-eval-')), 'pairs.tsv');
  writeFileSync(name, text);
  return name;
};

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await cacheEval(args, { out: text => void out.push(text), err: text => void err.push(text) });
  return { code, out: out.join(''), err: err.join('') };
}

const pairs = file(
  [
    'label\ta\tb\tsource',
    '1\tWhat is the capital of France?\tTell me the capital of France\tx',
    '0\tWhat is the capital of France?\tWhat is the capital of Italy?\tx',
    '1\tHow do I mute it?\tWhy are fish wet?',
  ].join('\n'),
);

describe('tollgate cache-eval', () => {
  test('counts what would be served, rightly and wrongly', async () => {
    const { code, out } = await run(pairs, '--json');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), { positives: 2, served: 1, negatives: 1, falseHits: 0 });
  });

  test('prints a table with bounds', async () => {
    const { out } = await run(pairs);
    assert.match(out, /recall +1 +2 +50\.00 % +9\.45 % to 90\.55 %/);
    assert.match(out, /false hits +0 +1 +0\.00 % +0\.00 % to 79\.35 %/);
    assert.match(out, /misses by reason: similarity 1/);
  });

  test('says why, on request', async () => {
    assert.match((await run(pairs, '--explain')).out, /miss: similarity \(.*\)\n +How do I mute it\?\n +Why are fish wet\?/);
    const { out } = await run(pairs, '--explain', '--json');
    assert.deepEqual(
      JSON.parse(out).pairs.map(({ label, refusedBy }: { label: number; refusedBy: string }) => [label, refusedBy]),
      [[1, 'similarity']],
    );
  });

  test('takes modes and thresholds, in any case', async () => {
    assert.equal(JSON.parse((await run(pairs, '--json', '--mode', 'strict', '--threshold', '0')).out).served, 1);
  });

  test('refuses what it does not understand', async () => {
    for (const args of [
      [],
      ['a', 'b'],
      [pairs, '--mode', 'Loose'],
      [pairs, '--threshold', '2'],
      [pairs, '--threshold', ''],
      [pairs, '--nope'],
    ]) {
      const { code, err } = await run(...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, /Usage: tollgate cache-eval/);
    }
  });

  test('says what is wrong with a file', async () => {
    assert.equal((await run('/nowhere.tsv')).code, 1);
    const { code, err } = await run(file('1\tonly one\n2\ta\tb\n'));
    assert.equal(code, 1);
    assert.match(err, /line 1: not a label/);
    assert.match(err, /line 2: not a label/);
    assert.match((await run(pairs, '--embedder', '/nowhere')).err, /no model\.onnx/);
  });
});
