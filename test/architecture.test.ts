// Enforces the import table, the purity of core/ and the absence of import cycles (ARCHITECTURE.md, "Who may import whom"), and shows on made-up
// sources that each check can fail.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import {
  coldImports,
  implementationWordsIn,
  importCycles,
  importViolations,
  impurities,
  isLoop,
  type Sources,
} from './support/architecture.ts';
import { importsOf } from './support/imports.ts';

const root = path.join(import.meta.dirname, '..');
const folders = '{core,platform,operator,dataplane,cli,deploy,simulator,test}';

function projectSources(): Sources {
  const files = globSync(`${folders}/**/*.ts`, { cwd: root }).map(file => file.replaceAll(path.sep, '/'));
  return new Map(files.sort().map(file => [file, readFileSync(path.join(root, file), 'utf8')]));
}

describe('the project', () => {
  const sources = projectSources();

  test('imports only what the table of test/support/architecture.ts allows', () => {
    assert.ok(sources.size > 10, 'the sources were found');
    assert.deepEqual(importViolations(sources), []);
  });

  test('has no import cycle, not even of types', () => {
    assert.deepEqual(importCycles(sources), []);
  });

  test('has everything compiled by `tollgate warm` that it loads when it is needed', () => {
    assert.deepEqual(coldImports(sources, 'cli/warm.ts'), []);
  });

  test('keeps core/ free of clock, chance, process, timers, network and terminal', () => {
    assert.deepEqual(impurities(sources), []);
  });

  test('names no store, no Kubernetes and no provider in the request loop', () => {
    const loop = [...sources].filter(([file]) => isLoop(file));
    assert.ok(loop.length > 1, 'the loop was found');
    const found = loop.flatMap(([file, text]) => implementationWordsIn(text).map(word => `${file}: ${word}`));
    assert.deepEqual(found, []);
  });
});

describe('the import scanner', () => {
  const specifiers = (source: string) => importsOf(source).map(found => found.specifier);

  test('finds every form of import', () => {
    const source = [
      `import './a.ts';`,
      `import b from './b.ts';`,
      `import type { C } from './c.ts';`,
      `import d, { type D as E } from "./d.ts";`,
      `import * as f from './f.ts' with { type: 'json' };`,
      `export * from './g.ts';`,
      `export type { H } from './h.ts';`,
      `export { i } from './i.ts';`,
      `const j = await import('./j.ts');`,
      `type K = import('./k.ts').K;`,
      `const l = \`\${await import('./l.ts')} text\`;`,
      `const m = require('./m.cjs');`,
    ].join('\n');
    assert.deepEqual(
      specifiers(source),
      ['a', 'b', 'c', 'd', 'f', 'g', 'h', 'i', 'j', 'k', 'l'].map(n => `./${n}.ts`).concat('./m.cjs'),
    );
  });

  test('takes no comment, string, template or regular expression for an import', () => {
    const source = [
      `// import './a.ts'`,
      `/* export * from './b.ts' */`,
      `const c = "import './c.ts'";`,
      `const d = \`import './d.ts' \${1 + 1} export * from './e.ts'\`;`,
      `const f = /import '.\\/f.ts'/.test(c) ? 4 / 2 : 1;`,
      `export { c, d }; const from = 'g'; export const h = import.meta.url;`,
      `class J { constructor(readonly toString: string) {} }`,
      `export type I = { import: string }; export function from_(x = 'k') { return x; }`,
    ].join('\n');
    assert.deepEqual(specifiers(source), []);
  });

  test('reports a computed path as one that cannot be checked', () => {
    assert.deepEqual(importsOf(`await import('./' + name)`).length, 1);
    assert.deepEqual(specifiers('await import(name)'), [undefined]);
  });
});

describe('the import rules', () => {
  const violations = (file: string, ...lines: string[]) => importViolations(new Map([[file, lines.join('\n')]]));
  const from = (specifier: string) => `import x from '${specifier}';`;

  const forbidden: readonly [file: string, specifier: string][] = [
    ['core/plan/plan.ts', 'node:crypto'],
    ['core/plan/plan.ts', 'zod'],
    ['core/plan/plan.ts', '../../platform/clock.ts'],
    ['core/resources/route.ts', 'yaml'],
    ['core/plan/plan.test.ts', '#dataplane/serve.ts'],
    ['platform/log.ts', '#core/units.ts'],
    ['operator/main.ts', '#dataplane/serve.ts'],
    ['operator/runtime/queue.ts', '../reconcilers/route.ts'],
    ['operator/runtime/queue.ts', '#core/units.ts'],
    ['operator/runtime/queue.test.ts', '#core/units.ts'],
    ['platform/kube/client.ts', '../../operator/runtime/fence.ts'],
    ['dataplane/http/server.ts', '../../operator/main.ts'],
    ['dataplane/serve.ts', './counters/memory.ts'],
    ['dataplane/settle.ts', './costlog/memory.ts'],
    ['dataplane/serve.ts', 'node:fs/promises'],
    ['dataplane/serve.ts', 'undici'],
    ['dataplane/serve.ts', './providers/one/index.ts'],
    ['dataplane/providers/one/encode.ts', '../two/encode.ts'],
    ['dataplane/providers/one/encode.ts', '#core/plan/plan.ts'],
    ['dataplane/providers/one/encode.ts', 'node:fs'],
    ['dataplane/providers/one/encode.ts', '../../http/server.ts'],
    ['dataplane/frontends/one/decode.ts', '../two/decode.ts'],
    ['dataplane/frontends/one/decode.ts', '../../providers/provider.ts'],
    ['simulator/index.ts', '#core/units.ts'],
    ['cli/main.ts', '#test/support/ports.ts'],
    ['elsewhere/x.ts', 'zod'],
  ];
  for (const [file, specifier] of forbidden) {
    test(`${file} may not import ${specifier}`, () => {
      assert.equal(violations(file, from(specifier)).length, 1);
    });
  }

  const allowed: readonly [file: string, specifier: string][] = [
    ['core/plan/plan.ts', '../units.ts'],
    ['core/resources/route.ts', 'zod'],
    ['core/plan/plan.test.ts', 'node:test'],
    ['platform/log.ts', 'pino'],
    ['operator/runtime/reflector.ts', '#platform/kube/client.ts'],
    ['dataplane/serve.ts', './ports.ts'],
    ['dataplane/serve.ts', './providers/index.ts'],
    ['dataplane/providers/one/encode.ts', './errors.ts'],
    ['dataplane/providers/one/encode.ts', '../two/index.ts'],
    ['dataplane/providers/one/encode.ts', '../scrub.ts'],
    ['dataplane/providers/one/encode.ts', '#core/chat/request.ts'],
    ['dataplane/frontends/one/decode.ts', '../controls.ts'],
    ['cli/main.ts', '#simulator/index.ts'],
    ['test/e2e/x.test.ts', '#dataplane/providers/one/encode.ts'],
  ];
  for (const [file, specifier] of allowed) {
    test(`${file} may import ${specifier}`, () => {
      assert.deepEqual(violations(file, from(specifier)), []);
    });
  }

  test('say the file, the line, the import and the reason', () => {
    assert.deepEqual(violations('platform/log.ts', '', from('#core/units.ts')), [
      'platform/log.ts:2 imports #core/units.ts, against the rule: platform knows sockets, not tenants',
    ]);
  });

  test('hold for imports of types, re-exports and import() too', () => {
    const lines = [`import type { A } from 'zod';`, `export * from 'zod';`, `await import('zod');`, `await import(name);`];
    assert.equal(violations('core/plan/plan.ts', ...lines).length, 4);
  });
});

describe('the check of what is compiled beforehand', () => {
  const cold = (...files: [file: string, text: string][]) => coldImports(new Map(files), 'cli/warm.ts');
  const warm: [string, string] = ['cli/warm.ts', `await import('../a.ts');`];

  test('finds a module, and a package, that is imported when it is needed', () => {
    assert.equal(cold(warm, ['a.ts', `await import('./b.ts'); await import('ws');`]).length, 2);
  });

  test('finds it behind other modules, also where its types alone are imported at once', () => {
    assert.equal(
      cold(warm, ['a.ts', `import './c.ts';`], ['c.ts', `import type { B } from './b.ts'; await import('./b.ts');`]).length,
      1,
    );
  });

  test('is content with what is in the list, and with types', () => {
    const list: [string, string] = ['cli/warm.ts', `await import('../a.ts'); await import('../b.ts');`];
    assert.deepEqual(cold(list, ['a.ts', `await import('./b.ts'); let c: typeof import('./c.ts');`]), []);
  });
});

describe('the cycle check', () => {
  test('finds a cycle of types through an alias', () => {
    const sources = new Map([
      ['core/a.ts', `import { b } from './b.ts';`],
      ['core/b.ts', `import type { C } from '#core/c.ts';`],
      ['core/c.ts', `export * from './a.ts';`],
      ['core/d.ts', `import './a.ts';`],
    ]);
    assert.deepEqual(importCycles(sources), ['core/a.ts -> core/b.ts -> core/c.ts -> core/a.ts']);
  });

  test('finds a file that imports itself', () => {
    assert.deepEqual(importCycles(new Map([['core/a.ts', `import './a.ts';`]])), ['core/a.ts -> core/a.ts']);
  });

  test('lets two files share a third', () => {
    const shared = `import './c.ts';`;
    const sources = new Map([
      ['core/a.ts', `import './b.ts'; ${shared}`],
      ['core/b.ts', shared],
      ['core/c.ts', ''],
    ]);
    assert.deepEqual(importCycles(sources), []);
  });
});

describe('the purity check', () => {
  const uses = (line: string, file = 'core/a.ts') => impurities(new Map([[file, line]]));

  const impure = [
    'Date.now()',
    'new Date()',
    'new Date',
    'Math.random()',
    'Temporal.Now.instant()',
    'process.env.X',
    'setTimeout(f, 1)',
    'const t = setTimeout;',
    'await fetch(url)',
    'console.log(1)',
    'performance.now()',
    'const x = ok ? process : undefined;',
  ];
  for (const line of impure) {
    test(`finds ${line}`, () => {
      assert.equal(uses(line).length, 1);
    });
  }

  const pure = [
    '// Date.now() is an argument',
    `const text = 'process.env';`,
    'const parsed = new Date(at);',
    'const { process: run } = steps; steps.process(1);',
    'type Options = { console: string; fetch?: string };',
  ];
  for (const line of pure) {
    test(`lets pass ${line}`, () => {
      assert.deepEqual(uses(line), []);
    });
  }

  test('looks at core only, and not at its tests', () => {
    assert.deepEqual(uses('Date.now()', 'platform/clock.ts'), []);
    assert.deepEqual(uses('Date.now()', 'core/a.test.ts'), []);
  });
});

test('the word check finds a provider and a store in the text of the loop', () => {
  assert.deepEqual(implementationWordsIn('const x = openaiTable; // from Redis'), ['openaiTable', 'Redis']);
  assert.deepEqual(implementationWordsIn('const reply = await provider.send(request);'), []);
});
