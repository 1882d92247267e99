// The tables of docs/benchmarks.md. Only what stands between its two marks is generated; what people wrote around it stays.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { LoadResult } from './load.ts';
import { type Figure, type Row, subjects } from './rows.ts';
import { isPinned } from './servers.ts';

/** The results of all rounds, of the two subjects of a row. */
export type Rounds = readonly [LoadResult[], LoadResult[]];

export function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter(value => value !== null).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? null;
}

export function table(row: Row, rounds: Rounds): string {
  const heads = row.figures.map(figure => figure.title);
  const lines = row.pair.map((name, i) => [
    subjects[name].title,
    ...row.figures.map(figure => spelt(medianOf(rounds[i]!, figure), figure.digits)),
  ]);
  const comparison = ['**compared**', ...row.figures.map(figure => `**${compared(figure, rounds)}**`)];
  const notes = [row.goal && `Goal: ${row.goal}.`, ...warnings(row, rounds)].filter(Boolean);
  return [
    `### ${row.title}`,
    '',
    markdown([['', ...heads], ...lines, comparison]),
    ...(notes.length > 0 ? ['', notes.join(' ')] : []),
  ].join('\n');
}

export function startTable(times: readonly number[], residents: readonly (number | null)[]): string {
  const cells = [
    ['', 'median', 'worst'],
    ['ready after, ms', ...ends(times, 0)],
    ['RSS one second later, MiB', ...ends(residents, 0)],
  ];
  return `### Cold start, ${times.length} times\n\n${markdown(cells)}\n\nGoals: ready within 1,000 ms, RSS below 120 MiB.`;
}

const ends = (values: readonly (number | null)[], digits: number): string[] => [
  spelt(median(values), digits),
  spelt(Math.max(...values.map(value => value ?? 0)), digits),
];

const medianOf = (results: readonly LoadResult[], figure: Figure): number | null =>
  median(results.map(result => result[figure.of]));

function compared(figure: Figure, [base, other]: Rounds): string {
  const [from, to] = [medianOf(base, figure), medianOf(other, figure)];
  if (from === null || to === null) return '-';
  if (figure.compare === 'times') return `${(to / from).toFixed(2)} x`;
  return `${to < from ? '-' : '+'}${spelt(Math.abs(to - from), figure.digits)}`;
}

/** What a reader must know before believing the figures. */
function warnings(row: Row, rounds: Rounds): string[] {
  return row.pair.flatMap((name, i) => {
    const results = rounds[i]!;
    const errors = results.reduce((sum, result) => sum + result.errors, 0);
    const busy = Math.max(...results.map(result => result.ownCpuShare));
    return [
      ...(errors > 0 ? [`**${errors} errors with ${subjects[name].title}.**`] : []),
      ...(busy > 0.7 ? [`The load generator was near its own limit with ${subjects[name].title}.`] : []),
    ];
  });
}

const spelt = (value: number | null, digits: number): string =>
  value === null ? '-' : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });

export function markdown([head, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head!), line(head!.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

export function preamble(date: Date, rounds: number, seconds: number): string {
  const processors = cpus();
  const machine = `${processors.length} x ${processors[0]!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`;
  const cores = isPinned ? 'the servers pinned to one core, upstream and clients to another' : 'nothing pinned to cores';
  return [
    `Measured ${date.toISOString().slice(0, 10)} at commit ${commit()} with \`npm run bench -- --rounds=${rounds} --seconds=${seconds}\`,`,
    `Node ${process.version}, on ${machine}; ${cores}. Medians of ${rounds} rounds of ${seconds} s; the subjects take turns.`,
  ].join('\n');
}

const commit = (): string => execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();

const BEGIN = '<!-- measured by npm run bench -->';
const END = '<!-- end of what was measured -->';

export function writeReport(path: string, text: string): void {
  const page = existsSync(path) ? readFileSync(path, 'utf8') : `# Benchmarks\n\n${BEGIN}\n${END}\n`;
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${path} has lost its marks: ${BEGIN} and ${END}`);
  writeFileSync(path, `${page.slice(0, from + BEGIN.length)}\n${text}\n${page.slice(to)}`);
}
