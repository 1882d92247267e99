// docs/dialects.md, from what the matrix saw.
import type { Client } from './ask.ts';
import type { Target } from './targets.ts';

export type Cell =
  /** The client's dialect has no words for it. */
  | { readonly kind: 'unsaid' }
  | { readonly kind: 'works'; readonly note?: string }
  /** Left out, under the names of the header; with `dropUnsupported: false` refused by the first of them. */
  | { readonly kind: 'dropped'; readonly fields: readonly string[] }
  | { readonly kind: 'refused'; readonly field: string }
  /** A body that passed as it was, and that the provider itself refused. */
  | { readonly kind: 'passed' };

export type Row = { readonly feature: string; readonly cells: readonly Cell[] };
export type Table = { readonly client: Client; readonly rows: readonly Row[] };

const titles: Readonly<Record<string, string>> = {
  'openai-chat': 'Chat completions (`/v1/chat/completions`)',
  'openai-responses': 'Responses (`/v1/responses`)',
  'anthropic-messages': 'Messages (`/v1/messages`)',
  gemini: 'generateContent (`/v1beta/models/…`)',
  'bedrock-converse': 'Converse (`/model/…/converse`)',
  'openai-completions': 'Completions (`/v1/completions`)',
};

const introduction = `# Who takes what

Written by \`TOLLGATE_GOLDEN=write node --test test/dialects/matrix.slow.test.ts\`; do not edit. Each cell is a request through the gateway to
the simulator, which refuses what the provider would, and a look at what came of it.

Where client and provider speak the same dialect the body passes through as it is; else it is translated.

| Cell | |
| --- | --- |
| ✓ | works; with a number: what else is to know, below the table |
| − \`field\` | left out, and named in the header \`x-tollgate-dropped\`; with \`dropUnsupported: false\` at the provider a 400 \`unsupported_parameter\` that names field and target |
| ✗ \`field\` | always a 400 \`unsupported_parameter\` that names field and target: without it the request would be another one |
| ✗ | the body passes through, and the provider itself refuses it |
| | this dialect has no words for it |

Citations are translated with the answer: what is cited, and for which words. Without a word for it they stay behind: chat completions have addresses alone,
no documents and no files; Responses have documents only where they are stored files; Messages have no files; completions have no citations. Words of a source
(its quote) are told in Messages, Converse and, for what was not found on the web, generateContent. In Messages and Converse a citation is of a whole block: a
whole answer is cut into blocks for it, a stream begins the next block behind it.
`;

export function pageOf(targets: readonly Target[], tables: readonly Table[]): string {
  return `${[introduction, ...tables.map(table => sectionOf(targets, table))].join('\n')}`;
}

function sectionOf(targets: readonly Target[], { client, rows }: Table): string {
  const notes: string[] = [];
  const lines = rows
    .filter(({ cells }) => cells.some(({ kind }) => kind !== 'unsaid'))
    .map(({ feature, cells }) => `| ${[feature, ...cells.map(cell => shown(cell, notes))].join(' | ')} |`);
  return [
    `## ${titles[client.dialect]}`,
    '',
    passesTo(targets, client),
    '',
    `| | ${targets.map(({ title }) => title).join(' | ')} |`,
    `| --- |${' --- |'.repeat(targets.length)}`,
    ...lines,
    ...(notes.length > 0 ? ['', ...notes.map((note, i) => `${i + 1}. ${note}`)] : []),
    '',
  ].join('\n');
}

function passesTo(targets: readonly Target[], { dialect }: Client): string {
  const speakers = targets.filter(({ speaks }) => speaks.includes(dialect)).map(({ title }) => title);
  return `Passes through to ${speakers.join('; ')}.`;
}

function shown(cell: Cell, notes: string[]): string {
  switch (cell.kind) {
    case 'unsaid':
      return '';
    case 'works':
      return cell.note ? `✓ ${numberOf(cell.note, notes)}` : '✓';
    case 'dropped':
      return `− ${cell.fields.map(field => `\`${field}\``).join(' ')}`;
    case 'refused':
      return `✗ \`${cell.field}\``;
    case 'passed':
      return '✗';
  }
}

function numberOf(note: string, notes: string[]): number {
  if (!notes.includes(note)) notes.push(note);
  return notes.indexOf(note) + 1;
}
