// What the databases take of a row: text bounded, well-formed and without NUL, which Postgres takes in no text, and numbers that are some.
// A row must never be refused for what a client sent. Nearly all are so already.
import { type CostRecord, MAX_TEXT } from '#core/accounting/cost-record.ts';
import { rowKey } from '#core/accounting/recovery.ts';
import { fieldAt, fields, type Kind, rank } from './columns.ts';

const MAX_TAGS = 64;
const MAX_INTEGER = 2 ** 31 - 1;

export const cleanText = (value: string): string => value.slice(0, MAX_TEXT).replace(/\0/g, '\uFFFD').toWellFormed();

/** `fits`: but for what `\u` in its JSON tells. */
type Rule = { readonly fits: (value: never) => boolean; readonly clean: (value: never) => unknown };

const untouched: Rule = { fits: () => true, clean: value => value };
const text: Rule = {
  fits: (value: string | null | undefined) => value == null || value.length <= MAX_TEXT,
  clean: (value: string | null | undefined) => (value == null ? value : cleanText(value)),
};
const whole = (max: number): Rule => ({
  fits: (value: number | null) => value === null || (Number.isInteger(value) && Math.abs(value) <= max),
  clean: (value: number | null) => {
    if (value === null) return null;
    return Number.isNaN(value) ? 0 : Math.trunc(Math.min(max, Math.max(-max, value)));
  },
});
const real = (otherwise: number | undefined): Rule => ({
  fits: (value: number | undefined) => value === undefined || Number.isFinite(value),
  clean: (value: number | undefined) => (Number.isFinite(value) ? value : otherwise),
});

const rules: Readonly<Record<Kind, Rule>> = {
  id: untouched,
  boolean: untouched,
  json: untouched,
  text,
  tags: { fits: tagsFit, clean: cleanTags },
  integer: whole(MAX_INTEGER),
  bigint: whole(Number.MAX_SAFE_INTEGER),
  real: real(undefined),
  duration: real(0),
};

const ruled = fields
  .filter(({ kind }) => rules[kind] !== untouched)
  .map(({ kind, path }) => ({ path, read: fieldAt(path), ...rules[kind] }));

/**
 * Rows as a database is handed them: one text of JSON, clean, with one version of each row, the most final one, in the order of the
 * primary key: writers that lock in one order never deadlock.
 * @param json of each row, where somebody has it already
 */
export function textOf(rows: readonly CostRecord[], json?: readonly string[]): string {
  const latest = new Map<string, { readonly state: CostRecord['state']; readonly text: string }>();
  for (const [i, row] of rows.entries()) {
    const key = rowKey({ requestId: row.requestId.toLowerCase(), attempt: row.attempt });
    const known = latest.get(key);
    if (known && rank[known.state] >= rank[row.state]) continue;
    latest.set(key, { state: row.state, text: cleaned(row, json?.[i] ?? JSON.stringify(row)) });
  }
  const sorted = [...latest].sort(([a], [b]) => (a < b ? -1 : 1));
  return `[${sorted.map(([, { text }]) => text).join(',')}]`;
}

/** @param json the row as JSON. @returns the JSON of the row as every database takes it: nearly always the same */
export function cleaned(row: CostRecord, json: string): string {
  // Control characters and broken surrogates stand in JSON as this, and little else does.
  return fits(row) && !json.includes('\\u') ? json : JSON.stringify(cleanRow(row));
}

const fits = (row: CostRecord): boolean => ruled.every(({ read, fits }) => fits(read(row) as never));

function cleanRow(row: CostRecord): CostRecord {
  const copy: Record<string, unknown> = { ...row, usage: { ...row.usage } };
  for (const { path, read, clean } of ruled) {
    const [name, inner] = path;
    const within = inner === undefined ? copy : (copy[name] as Record<string, unknown>);
    within[inner ?? name] = clean(read(row) as never);
  }
  return copy as CostRecord;
}

function tagsFit(tags: CostRecord['tags']): boolean {
  let count = 0;
  for (const name in tags) if (++count > MAX_TAGS || name.length > MAX_TEXT || tags[name]!.length > MAX_TEXT) return false;
  return true;
}

function cleanTags(tags: CostRecord['tags']): CostRecord['tags'] {
  const some = Object.entries(tags).slice(0, MAX_TAGS);
  return Object.fromEntries(some.map(([name, value]) => [cleanText(name), cleanText(value)]));
}
