// Every command of the documentation is run by a test (docs.slow.test.ts), or says why not.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { CLUSTER_PAGES, hasCommands, pageOf, scriptOf } from './support/doc-commands.ts';

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

test('every page with commands for a cluster is on the list of those that are run in one', () => {
  const found = globSync('{README.md,docs/*.md}', { cwd: root }).filter(page =>
    hasCommands(pageOf(readFileSync(path.join(root, page), 'utf8')), 'cluster'),
  );
  assert.deepEqual(found.toSorted(), CLUSTER_PAGES.toSorted());
});

describe('what pages name is there:', () => {
  const pages = globSync('{*.md,docs/**/*.md,charts/*/README.md}', { cwd: root }).toSorted();
  const textOf = (page: string) => readFileSync(path.join(root, page), 'utf8');
  const withoutFences = (text: string) => text.replaceAll(/^(`{3,})[\s\S]*?^\1$/gm, '');
  /** As GitHub makes them of headings. */
  const anchorsOf = (page: string): ReadonlySet<string> =>
    new Set(
      [...withoutFences(textOf(page)).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      ),
    );

  for (const page of pages)
    test(page, () => {
      const text = withoutFences(textOf(page));
      const links = [...text.matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)/g)];
      const broken = links.filter(([, to, anchor]) => {
        const target = to === '' ? page : path.join(path.dirname(page), to!);
        if (!existsSync(path.join(root, target))) return true;
        return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor);
      });
      const tests = [...text.matchAll(/`((?:core|dataplane|operator|platform|cli|test)\/[\w./-]+\.test\.ts)`/g)];
      const gone = tests.filter(([, file]) => !existsSync(path.join(root, file!)));
      assert.deepEqual(
        [...broken, ...gone].map(([link]) => link),
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
      { kind: 'run', line: 10, text: "echo 'a b'", fails: false, prints: 'a (b|c)', where: 'here', dry: false },
    ]);
  });

  test('what needs a cluster is run there, and only there', () => {
    const both = page(
      ...['<!-- run -->', '```sh', 'echo here', '```'],
      ...['<!-- run in a cluster, prints /there/ -->', '```sh', 'echo there', '```'],
      ...['<!-- run in a cluster, as a dry run -->', '```sh', 'helm install x y', '```'],
    );
    assert.deepEqual(both.complaints, []);
    const [here, there] = [scriptOf('page', both), scriptOf('page', both, 'cluster')];
    assert.ok(here.includes('echo here') && !here.includes('echo there') && !here.includes('helm'));
    assert.ok(!there.includes('echo here') && there.includes('echo there') && there.includes('--dry-run=server'));
    assert.ok(hasCommands(both, 'cluster') && !hasCommands(page('<!-- run -->', '```sh', 'true', '```'), 'cluster'));
    assert.equal(page('<!-- run in background in a cluster -->', '```sh', 'x', '```').complaints.length, 1);
  });

  test('no text of a page escapes its quotes', () => {
    const script = scriptOf('page', page('<!-- file x -->', '```yaml', "it's $HOME `x`", '```'));
    assert.ok(script.includes(`'it'\\''s $HOME \`x\`'`));
  });
});
