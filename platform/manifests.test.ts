import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { manifestLimits, readManifests } from './manifests.ts';

describe('a folder of manifests', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-manifests-'));
  });
  after(() => rm(folder, { recursive: true }));

  const make = async (name: string, files: Readonly<Record<string, string | Uint8Array>>) => {
    for (const [path, content] of Object.entries(files)) {
      const file = join(folder, name, path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, content);
    }
    return join(folder, name);
  };
  const placesIn = (base: string, documents: readonly { file: string; value: unknown }[]) =>
    documents.map(({ file, value }) => [relative(base, file), value]);

  test('is read in the order of its names, folders in folders included, and nothing but YAML and JSON', async () => {
    const base = await make('plain', {
      'b.yml': 'b: 1',
      'a/z.json': '{"z": 1}',
      'c.yaml': 'c: 1',
      'README.md': '# no',
      'a/.hidden.yaml': 'h: 1',
      '.git/x.yaml': 'x: 1',
    });
    const { documents, errors } = await readManifests([base]);
    assert.deepEqual(errors, []);
    assert.deepEqual(placesIn(base, documents), [
      ['a/z.json', { z: 1 }],
      ['b.yml', { b: 1 }],
      ['c.yaml', { c: 1 }],
    ]);
  });

  test('may be a mounted ConfigMap, whose files are links into ..data, and each is read once', async () => {
    const base = await make('mounted', { '..2026_11_21/a.yaml': 'a: 1' });
    await symlink('..2026_11_21', join(base, '..data'));
    await symlink('..data/a.yaml', join(base, 'a.yaml'));
    assert.deepEqual(placesIn(base, (await readManifests([base])).documents), [['a.yaml', { a: 1 }]]);
  });

  test('loses only the file that cannot be read: too large, not UTF-8, not there', async () => {
    const base = await make('broken', {
      'a.yaml': 'a: 1',
      'large.yaml': Buffer.alloc(manifestLimits.fileBytes + 1, 32),
      'latin.yaml': Buffer.from([0x61, 0x3a, 0x20, 0xe9]),
    });
    await symlink('nowhere', join(base, 'link.yaml'));
    const { documents, errors } = await readManifests([base]);
    assert.deepEqual(placesIn(base, documents), [['a.yaml', { a: 1 }]]);
    assert.deepEqual(
      errors.map(({ file, message }) => `${relative(base, file)} ${message.replace(/[0-9]+/g, 'N')}`),
      [
        'link.yaml cannot be found or read',
        'large.yaml has N bytes, more than the N that are left of the bound: not read',
        'latin.yaml is not UTF-N text',
      ],
    );
  });

  test('has bounds on the number of files and on their bytes together', async () => {
    const base = await make('many', { 'a.yaml': 'a: 1', 'b.yaml': 'b: 1', 'c.yaml': 'c: 1' });
    const few = await readManifests([base], { ...manifestLimits, files: 2 });
    assert.equal(few.documents.length, 2);
    assert.match(few.errors[0]?.message ?? '', /^is more than file number 2: the rest is not read$/);
    const small = await readManifests([base], { ...manifestLimits, totalBytes: 9 });
    assert.deepEqual([small.documents.length, small.errors.length], [2, 1]);
  });
});
