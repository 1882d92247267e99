// `npm test`: runs every suite this machine can run and says which it left out, why, and how to run them.
//   npm test                          the fast suites: needs Node and npm, stays under two minutes
//   npm test -- --slow                the slow ones too, shortened; TOLLGATE_SOAK=1 runs them whole
//   npm run test:cluster              those under test/cluster, on a real API server (npm run tools), in a network of their own
//   npm test -- core/plan test/e2e    only files whose path holds one of these words
// Where CI is set, a file that failed runs once more, alone: what passes then is reported as flaky, which is a bug to be mended.
import { existsSync, globSync, readFileSync } from 'node:fs';
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

/** Of one file. */
type Tally = { passed: number; readonly failed: string[]; readonly skipped: Map<string, string> };
type Tallies = ReadonlyMap<string, Tally>;

/** More files that fail than this are no accident. */
const MOST_FLAKY = 3;

const { values, positionals: words } = parseArgs({
  options: { slow: { type: 'boolean', default: false }, cluster: { type: 'boolean', default: false } },
  allowPositionals: true,
});
process.chdir(root);
// Each file is a process, and reads the same modules as the others: compiled once, as `npm start` has them, a quarter of the CPU is saved.
process.env.NODE_COMPILE_CACHE ??= path.join(root, 'node_modules/.cache/compile');
if (values.cluster) enterOwnNetwork();
const files = testFiles(words, values.slow);
if (files.length === 0) {
  console.error(`No test file has ${words.join(' or ')} in its path.`);
  process.exit(1);
}
const first = await runInLanes(files);
const again = process.env.CI ? await runAgain(first) : new Map<string, Tally>();
const last = new Map([...first, ...again]);
for (const [file, { failed }] of first)
  if (again.get(file)?.failed.length === 0)
    console.log(`flaky    ${file}: ${failed.join('; ')} (a bug: passed when it ran again, alone)`);
report(last, omissions(words, values.slow));
process.exitCode = sumOf(last, 'failed') > 0 || sumOf(last, 'passed') === 0 ? 1 : 0;

function testFiles(words: readonly string[], slow: boolean): string[] {
  const all = globSync('{core,platform,dataplane,operator,cli,simulator,test}/**/*.test.ts');
  const suites = all.filter(file => file.startsWith(path.join('test', 'cluster')) === values.cluster);
  const chosen = words.length === 0 ? suites : suites.filter(file => words.some(word => file.includes(word)));
  return chosen.filter(file => slow || !isSlow(file)).sort();
}

function isSlow(file: string): boolean {
  return file.endsWith('.slow.test.ts');
}

/**
 * Tests of timing share the cores with everything else: one file more at once than there are cores, as files wait, and no more than four.
 * Clusters with pods are many processes each, and the addresses of pods are the same in every file: one after the other, and beside them,
 * one after the other, the files that have no pods, which mostly wait.
 */
async function runInLanes(files: readonly string[]): Promise<Tallies> {
  if (!values.cluster) return runAll(files, Math.min(availableParallelism() + 1, 4));
  const hasPods = (file: string): boolean => readFileSync(file, 'utf8').includes("'./support/deployment.ts'");
  const lanes = Map.groupBy(files, hasPods).values();
  const tallies = await Promise.all([...lanes].map(lane => runAll(lane, 1)));
  return new Map(tallies.flatMap(each => [...each]));
}

/** What failed on a machine that does other things meanwhile, once more and alone. */
async function runAgain(tallies: Tallies): Promise<Tallies> {
  const failed = [...tallies].filter(([, tally]) => tally.failed.length > 0).map(([file]) => file);
  if (failed.length === 0 || failed.length > MOST_FLAKY) return new Map();
  console.log(`once more, alone: ${failed.join(', ')}`);
  return runAll(failed, 1);
}

/** A file that takes longer hangs: it fails instead of holding everything up. */
async function runAll(files: readonly string[], concurrency: number): Promise<Tallies> {
  const timeout = process.env.TOLLGATE_SOAK ? 6 * 3_600_000 : values.slow || values.cluster ? 900_000 : 120_000;
  const tallies = new Map<string, Tally>(files.map(file => [file, { passed: 0, failed: [], skipped: new Map() }]));
  const tallyOf = (file: string | undefined) => tallies.get(path.relative(root, file ?? '')) ?? tallies.get(files[0]!)!;
  const events = run({ files: [...files], concurrency, cwd: root, timeout });
  events.on('test:pass', ({ name, file, skip, details }) => {
    if (details.type === 'suite') return;
    const tally = tallyOf(file);
    if (skip === undefined || skip === false) tally.passed++;
    else tally.skipped.set(name, typeof skip === 'string' ? skip : 'no reason given');
  });
  events.on('test:fail', ({ name, file, details }) => {
    // A suite fails once more for each test in it; it counts by itself only where a hook of its own failed.
    const { failureType } = details.error as Error & { failureType?: string };
    if (failureType !== 'subtestsFailed') tallyOf(file).failed.push(name);
  });
  const output = events.compose(new spec());
  output.pipe(process.stdout, { end: false });
  await finished(output);
  return tallies;
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

function report(tallies: Tallies, leftOut: readonly Omission[]): void {
  for (const [file, { skipped }] of tallies)
    for (const [test, reason] of skipped) console.log(`skipped  ${file}: ${test} (${reason})`);
  for (const { suite, reason, enable } of leftOut) console.log(`left out  ${suite}: ${reason}. To run: ${enable}`);
  console.log(`${sumOf(tallies, 'passed')} passed, ${sumOf(tallies, 'failed')} failed`);
}

function sumOf(tallies: Tallies, outcome: 'passed' | 'failed'): number {
  let sum = 0;
  for (const { passed, failed } of tallies.values()) sum += outcome === 'passed' ? passed : failed.length;
  return sum;
}
