// What the proofs of our goals in a cluster measured: printed, and where TOLLGATE_REPORT=write asks for it, put into the table of
// docs/cluster-report.md, each in the place of its predecessor.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import path from 'node:path';
import { goBuild } from '../../../tools/places.ts';

export type Figure = {
  /** The goal's number in docs/cluster-report.md, with a letter where one has several figures; or a word. */
  readonly row: string;
  readonly goal: string;
  readonly measured: string;
  readonly isMet: boolean;
};

const root = path.join(import.meta.dirname, '..', '..', '..');
const page = path.join(root, 'docs', 'cluster-report.md');
const HEAD =
  '| Row | Goal | Measured | | Cores in use: test, others | Test | When |\n| --- | --- | --- | --- | --- | --- | --- |';

/** Begins to measure the load of the machine. @param test `import.meta.filename` @returns takes a figure of the time since then */
export function measuring(test: string): (figure: Figure) => void {
  const before = cpuTimes();
  return figure => {
    const load = coresInUse(before, cpuTimes());
    const verdict = figure.isMet ? 'met' : '**missed**';
    console.log(`row ${figure.row}: ${figure.goal}: ${verdict}: ${figure.measured} (cores in use: ${load})`);
    if (process.env.TOLLGATE_REPORT !== 'write') return;
    const { row, goal, measured } = figure;
    const cells = [row, goal, measured, verdict, load, `\`${path.basename(test)}\``, `${today()}, ${commit()}`];
    writeFileSync(page, withLine(row, `| ${cells.join(' | ')} |`));
  };
}

function withLine(row: string, line: string): string {
  const known = existsSync(page) ? readFileSync(page, 'utf8').split('\n') : [];
  const others = known.filter(each => each.startsWith('| ') && !HEAD.includes(each) && rowOf(each) !== row);
  const byRow = (a: string, b: string): number => rowOf(a).localeCompare(rowOf(b), 'en', { numeric: true });
  return `${introduction()}\n\n${HEAD}\n${[...others, line].sort(byRow).join('\n')}\n`;
}

const rowOf = (line: string): string => line.split('|')[1]!.trim();

function introduction(): string {
  const processors = cpus();
  const machine = `${processors.length} x ${processors[0]!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `# What was measured in a cluster

Written by the tests under \`test/cluster\`: \`npm run cluster-report\` runs them whole, which takes some ninety minutes, and
\`TOLLGATE_REPORT=write npm run test:cluster\` shortened, as CI does. A row says how much it measured, and stands until a run measures it again.
Numbers of rows are those of the goals of the design; a goal that was not reached says **missed**.

The API server is a real kube-apiserver ${goBuild('kube-apiserver').version} over etcd, with its audit log on. Operator, data-plane pods, simulated providers and
clients are processes of one machine with it: ${machine}, Node ${process.version}. *Cores in use* says how much of
that was at work meanwhile, for the test and all it started, and for everything else on the machine: figures of a full machine are figures of a
queue. A start with many objects (row 9) waits for the API server's list of them: it reads that from etcd here, and answers from
memory, several times as fast, where its etcd is 3.4.31, 3.5.13 or newer.`;
}

// ---------------------------------------------------------------- the load of the machine

/** Seconds of CPU: of this process and all that descends from it, and of the machine. */
type CpuTimes = { readonly at: number; readonly own: number; readonly all: number };

const TICKS_PER_SECOND = 100;

function cpuTimes(): CpuTimes | undefined {
  if (process.platform !== 'linux') return undefined;
  const processes = new Map<number, { readonly parent: number; readonly seconds: number }>();
  for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) processes.set(Number(name), statOf(name));
  const isOurs = (pid: number): boolean => pid === process.pid || (pid > 1 && isOurs(processes.get(pid)?.parent ?? 0));
  const own = [...processes].reduce((sum, [pid, { seconds }]) => (isOurs(pid) ? sum + seconds : sum), 0);
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1').split('\n')[0]!.split(/\s+/).map(Number);
  const all = (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND;
  return { at: performance.now() / 1000, own, all };
}

/** With the time of children that have ended and were waited for. */
function statOf(pid: string): { readonly parent: number; readonly seconds: number } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ').map(Number);
    const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0);
    return { parent: fields[1]!, seconds: ticks / TICKS_PER_SECOND };
  } catch {
    return { parent: 0, seconds: 0 };
  }
}

function coresInUse(before: CpuTimes | undefined, now: CpuTimes | undefined): string {
  if (!before || !now) return 'not known';
  const seconds = now.at - before.at;
  const own = (now.own - before.own) / seconds;
  const others = Math.max(0, (now.all - before.all) / seconds - own);
  return `${own.toFixed(1)}, ${others.toFixed(1)} of ${availableParallelism()}`;
}

// ---------------------------------------------------------------- words for figures

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]!;
}

/** @param values milliseconds */
export const percentiles = (values: readonly number[]): string =>
  [...[50, 99].map(percent => `p${percent} ${percentile(values, percent).toFixed(0)} ms`), `n = ${values.length}`].join(', ');

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const today = (): string => new Date().toISOString().slice(0, 10);
const commit = (): string => execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
