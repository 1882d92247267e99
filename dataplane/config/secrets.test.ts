// Keys that are made here: once, whole, and never empty.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { masterKey } from './secrets.ts';

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-secrets-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('processes that start at the same moment get the same key, and leave nothing else behind', () =>
  inFolder(async folder => {
    const keys = await Promise.all(Array.from({ length: 50 }, () => masterKey(folder)));
    assert.equal(new Set(keys).size, 1);
    assert.ok(keys[0]!.length > 40);
    assert.equal(await masterKey(folder), keys[0]);
    assert.deepEqual(await readdir(folder), ['master-key']);
  }));

test('a file that a full disk left empty is refused: the empty key is what a client without a key presents', () =>
  inFolder(async folder => {
    await writeFile(join(folder, 'master-key'), '\n');
    await assert.rejects(masterKey(folder), /is empty/);
  }));
