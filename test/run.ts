// `npm test`: runs every suite this machine can run and says which it left out, why, and how to run them.
//   npm test                          the fast suites: needs Node and npm, stays under two minutes
//   npm test -- --slow                the slow ones too, shortened; TOLLGATE_SOAK=1 runs them whole
//   npm run test:cluster              those under test/cluster, on a real API server (npm run tools), in a network of their own
//   npm test -- core/plan test/e2e    only files whose path holds one of these words
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { enterOwnNetwork } from './support/own-network.ts';

const root = path.join(import.meta.dirname, '..');

/** What is left out as a whole. A single test that skips itself says why by itself, and is listed too. */
type Omission = { readonly suite: string; readonly reason: string; readonly enable: string };

type Tally = { passed: number; failed: number; readonly skipped: Map<string, string> };

const { values, positionals: words } = parseArgs({
  options: { slow: { type: 'boolean', default: false }, cluster: { type: 'boolean', default: false } },
  allowPositionals: true,
});
process.chdir(root);
if (values.cluster) enterOwnNetwork();
const files = testFiles(words, values.slow);
if (files.length === 0) {
  console.error(`No test file has ${words.join(' or ')} in its path.`);
  process.exit(1);
}
const tally = await runAll(files, process.env.TOLLGATE_SOAK ? 6 * 3_600_000 : values.slow || values.cluster ? 900_000 : 120_000);
report(tally, omissions(words, values.slow));
process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;

function testFiles(words: readonly string[], slow: boolean): string[] {
  const all = globSync('{core,platform,dataplane,operator,cli,simulator,test}/**/*.test.ts');
  const suites = all.filter(file => file.startsWith(path.join('test', 'cluster')) === values.cluster);
  const chosen = words.length === 0 ? suites : suites.filter(file => words.some(word => file.includes(word)));
  return chosen.filter(file => slow || !isSlow(file)).sort();
}

function isSlow(file: string): boolean {
  return file.endsWith('.slow.test.ts');
}

/** A file that takes longer hangs: it fails instead of holding everything up. */
async function runAll(files: string[], fileTimeoutMs: number): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: new Map() };
  // Tests of timing share the cores with everything else: one file more at once than there are cores, as files wait, and no more than four.
  // Clusters are many processes each, and the addresses of their pods are the same in every file.
  const concurrency = values.cluster ? 1 : Math.min(availableParallelism() + 1, 4);
  const events = run({ files, concurrency, cwd: root, timeout: fileTimeoutMs });
  events.on('test:pass', ({ name, file, skip, details }) => {
    if (details.type === 'suite') return;
    if (skip === undefined || skip === false) tally.passed++;
    else tally.skipped.set(`${path.relative(root, file ?? '')}: ${name}`, typeof skip === 'string' ? skip : 'no reason given');
  });
  events.on('test:fail', ({ details }) => {
    // A suite fails once more for each test in it; it counts by itself only where a hook of its own failed.
    const { failureType } = details.error as Error & { failureType?: string };
    if (failureType !== 'subtestsFailed') tally.failed++;
  });
  const output = events.compose(new spec());
  output.pipe(process.stdout);
  await finished(output);
  return tally;
}

function omissions(words: readonly string[], slow: boolean): Omission[] {
  if (words.length > 0 || values.cluster) return [];
  const leftOut: Omission[] = [
    {
      suite: 'cluster suites (the operator, the CRDs)',
      reason: 'they need a real API server, and minutes',
      enable: 'npm run tools (once; needs Go), then npm run test:cluster',
    },
  ];
  if (!slow) {
    leftOut.push({
      suite: 'slow suites (long faults, hostile clients at full size)',
      reason: 'they take minutes',
      enable: 'npm test -- --slow; npm run soak runs them whole',
    });
  }
  if (!existsSync('../shared/recordings')) {
    leftOut.push({
      suite: 'recordings of real providers',
      reason: '../shared/recordings is not there',
      enable: 'put the recordings beside the project and run npm test',
    });
  }
  return leftOut;
}

function report(tally: Tally, leftOut: readonly Omission[]): void {
  for (const [test, reason] of tally.skipped) console.log(`skipped  ${test} (${reason})`);
  for (const { suite, reason, enable } of leftOut) console.log(`left out  ${suite}: ${reason}. To run: ${enable}`);
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
}
