// The lines of a spool: each is a JSON array of a checksum and a row, `["1c291ca3",{..}]`, so that a torn or garbled line is noticed,
// and people can still read the file with any tool for JSON lines.
import { crc32 } from 'node:zlib';

const PREFIX = '["00000000",'.length;
const SUFFIX = ']\n';
const NEWLINE = 0x0a;

/** The most bytes that a line of this row can take: three for each UTF-16 unit. */
export const maxLineBytes = (json: string): number => json.length * 3 + PREFIX + SUFFIX.length;

/** Writes the line into a buffer that has `maxLineBytes` of room there. @returns its length */
export function putLine(json: string, into: Buffer, at: number): number {
  const length = into.write(json, at + PREFIX, 'utf8');
  const end = at + PREFIX + length;
  into.write(`["${checksum(into.subarray(at + PREFIX, end))}",`, at, 'latin1');
  into.write(SUFFIX, end, 'latin1');
  return PREFIX + length + SUFFIX.length;
}

export type Lines = {
  /** Rows as JSON text, each with the offset in the block at which its line ends. */
  readonly rows: readonly { readonly json: string; readonly end: number }[];
  /** How many bytes are complete lines; what follows is the beginning of one. */
  readonly bytes: number;
  /** Lines that are not what was once written. */
  readonly garbled: number;
};

export function linesOf(block: Buffer): Lines {
  const rows: { json: string; end: number }[] = [];
  let start = 0;
  let garbled = 0;
  for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
    const json = jsonOf(block.subarray(start, end + 1));
    start = end + 1;
    if (json === undefined) garbled++;
    else rows.push({ json, end: start });
  }
  return { rows, bytes: start, garbled };
}

function jsonOf(line: Buffer): string | undefined {
  const json = line.subarray(PREFIX, -SUFFIX.length);
  const isWhole =
    line.length >= PREFIX + SUFFIX.length &&
    line.toString('latin1', 0, PREFIX) === `["${checksum(json)}",` &&
    line.toString('latin1', line.length - SUFFIX.length) === SUFFIX;
  return isWhole ? json.toString() : undefined;
}

const checksum = (bytes: Buffer): string => crc32(bytes).toString(16).padStart(8, '0');
