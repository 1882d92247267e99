import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

test('the thesaurus is what cli/gen-thesaurus.ts makes of its sources', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(import.meta.dirname, 'gen-thesaurus.ts'), '--check'], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});
