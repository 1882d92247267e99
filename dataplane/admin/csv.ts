// CSV (RFC 4180) that a spreadsheet opens without running anything in it.
import type { RawNumber } from './exact.ts';

export const csv = (lines: readonly (readonly unknown[])[]): string =>
  lines.map(line => `${line.map(cell).join(',')}\r\n`).join('');

/** Text that a spreadsheet would take for a formula (OWASP, "CSV Injection") is told to be text by a quote before it. */
function cell(value: unknown): string {
  if (typeof value !== 'string') return plain(value);
  const safe = /^\s*[=+\-@]|^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const plain = (value: unknown): string => {
  if (typeof value === 'object' && value !== null) return (value as RawNumber).rawJSON;
  return String(value ?? '');
};
