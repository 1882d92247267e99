// The observed fault matrix as the table of docs/faults.md: one line for all cells of a fault that came out the same.
import { BACKOFF_MAX_MS, type Cell, FAILURES_THAT_OPEN, FIRST_TOKEN_MS, REQUEST_MS, RETRIES } from './fault-stage.ts';

/** What failed attempts do to the breaker of their backend. `counts`: enough of them in a row open it. */
export type Breaker = 'none' | 'counts' | 'at once';

/** What one fault came to, in the words of the document. */
export type Outcome = {
  readonly client: string;
  /** Requests that reached the upstream with the fault. */
  readonly calls: number;
  /** Of the upstream with the fault, then of the second one. */
  readonly rows: readonly string[];
  /** Of the upstream with the fault, where it is alone. */
  readonly breaker: Breaker | undefined;
};
export type Line = { readonly cell: Cell; readonly alone: Outcome; readonly spared: Outcome };

export function documentOf(lines: readonly Line[]): string {
  const groups = Map.groupBy(lines, ({ cell, alone, spared }) => JSON.stringify([cell.fault, alone, spared]));
  const rows = [...groups.values()].map(group => {
    const { cell, alone, spared } = group[0]!;
    return `| ${[cell.fault, labelOf(group.map(line => line.cell)), ...columnsOf(alone), ...columnsOf(spared)].join(' | ')} |`;
  });
  return `${introduction}${[
    '| Fault | Requests | Client sees | Calls | Rows | Breaker | With a second backend | Calls | Rows |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')}\n`;
}

const introduction = `# Faults

In short:

- Until the first token has come nothing has reached the client, so a retry or another backend stays unseen; the answer says so in \`x-tollgate-attempts\` and \`x-tollgate-fallback\`.
- After it the client has a part: the stream ends with a typed error, never as if it were whole, or another backend goes on with it (\`midStream: Continue\`).
- An answer that is not streamed is checked whole before it is sent.
- The last failure is what the client sees when nobody answers; what the caller got wrong is sent to nobody else.
- Each attempt is a row of the ledger. What failed costs the part that came; where the provider may have billed more than is known, the row says so.

What is tried again, in which order and for how long: [configuration.md](configuration.md#when-a-backend-fails).

What becomes of a request when its provider fails, as seen from outside: written by \`test/e2e/faults.slow.test.ts\`
(\`TOLLGATE_GOLDEN=write\`), which also declares and asserts each line. One gateway process; the upstream is a bare socket whose every byte is the
test's. Each fault at providers of types OpenAI and Anthropic, for clients of \`/v1/chat/completions\` and \`/v1/messages\`, streamed and not, first
without and then with a second, healthy backend. "all" is all eight of these.

The route retries up to ${RETRIES} times and waits at most ${BACKOFF_MAX_MS} ms; the provider has ${FIRST_TOKEN_MS} ms to the first token and between two pieces of a stream, and
${REQUEST_MS} ms for a whole attempt. Codes are those of [errors.md](errors.md). *Calls* are requests that reached the failing upstream; *Rows* are the rows of
the ledger in order: \`?\` the provider may have billed it, \`~\` counted by the gateway, \`$\` costs something. *Breaker* is that of the
failing backend, which ${FAILURES_THAT_OPEN} failures in a row open: \`counts\` as one of them, opens it \`at once\`, or \`none\` of both.

`;

const columnsOf = ({ client, calls, rows, breaker }: Outcome): string[] => [
  client,
  String(calls),
  shortened(rows),
  ...(breaker === undefined ? [] : [breaker]),
];

/** `a, a, b` as `a x2, b`. */
function shortened(rows: readonly string[]): string {
  const runs: { row: string; count: number }[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last?.row === row) last.count++;
    else runs.push({ row, count: 1 });
  }
  return runs.map(({ row, count }) => (count === 1 ? row : `${row} x${count}`)).join(', ');
}

const traits = [
  { of: (cell: Cell) => (cell.wire === 'openai' ? 'OpenAI' : 'Anthropic'), all: 2 },
  { of: (cell: Cell) => cell.dialect, all: 2 },
  { of: (cell: Cell) => (cell.streamed ? 'streamed' : 'not streamed'), all: 2 },
] as const;

/** Names a block of cells by what they have in common; cells that are no block, one by one. */
function labelOf(cells: readonly Cell[]): string {
  const values = traits.map(({ of }) => [...new Set(cells.map(of))]);
  const isBlock = values.reduce((product, { length }) => product * length, 1) === cells.length;
  if (!isBlock) return cells.map(cell => traits.map(({ of }) => of(cell)).join(' ')).join('; ');
  return values.flatMap((seen, i) => (seen.length === traits[i]!.all ? [] : seen)).join(', ') || 'all';
}
