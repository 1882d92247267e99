// Every command of the documentation is run by a test (docs.slow.test.ts), or says why not.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pageOf, scriptOf } from './support/doc-commands.ts';

const root = path.join(import.meta.dirname, '..');

describe('pages', () => {
  for (const page of globSync('{README.md,docs/*.md}', { cwd: root }).toSorted())
    test(`${page}: every block of commands has a mark`, () => {
      const { complaints } = pageOf(readFileSync(path.join(root, page), 'utf8'));
      assert.deepEqual(
        complaints.map(complaint => `${page}:${complaint}`),
        [],
      );
    });
});

describe('marks', () => {
  const page = (...lines: string[]) => pageOf(lines.join('\n'));

  test('a block without one, or with one that nobody can read, is complained about', () => {
    assert.equal(page('```sh', 'npm start', '```').complaints.length, 1);
    assert.equal(page('<!-- runn -->', '```sh', 'npm start', '```').complaints.length, 1);
    assert.equal(page('<!-- not run: -->', '```sh', 'npm start', '```').complaints.length, 1);
    assert.equal(page('', '    npm start').complaints.length, 1);
    assert.equal(page('', '    A=b curl x').complaints.length, 1);
    assert.equal(page('', '    {"error": 1}', '', '```json', '{}', '```').complaints.length, 0);
  });

  test('what is run, served and written, in the order of the page', () => {
    const { blocks, complaints } = page(
      ...['<!-- file a/b.yaml -->', '```yaml', 'kind: x', '```'],
      ...['<!-- run in background until http://127.0.0.1:4000/health -->', '```sh', 'npm start', '```'],
      ...['<!-- run, prints /a (b|c)/ -->', '```sh', "echo 'a b'", '```'],
      ...['<!-- not run: needs a cluster -->', '```sh', 'kubectl get pods', '```'],
    );
    assert.deepEqual(complaints, []);
    assert.deepEqual(blocks, [
      { kind: 'file', line: 2, text: 'kind: x', path: 'a/b.yaml' },
      { kind: 'serve', line: 6, text: 'npm start', until: 'http://127.0.0.1:4000/health' },
      { kind: 'run', line: 10, text: "echo 'a b'", fails: false, prints: 'a (b|c)' },
    ]);
  });

  test('no text of a page escapes its quotes', () => {
    const script = scriptOf('page', page('<!-- file x -->', '```yaml', "it's $HOME `x`", '```'));
    assert.ok(script.includes(`'it'\\''s $HOME \`x\`'`));
  });
});
