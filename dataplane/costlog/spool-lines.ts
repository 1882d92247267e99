// The lines of a spool: each is a JSON array of a checksum and a row, `["1c291ca3",{..}]`, so that a torn or garbled line is noticed,
// and people can still read the file with any tool for JSON lines.
import { crc32 } from 'node:zlib';

const PREFIX = '["00000000",'.length;
const SUFFIX = ']\n';
const [BRACKET, QUOTE, COMMA, BRACKET_END, NEWLINE] = [0x5b, 0x22, 0x2c, 0x5d, 0x0a] as const;
const HEX = Buffer.from('0123456789abcdef');

/** The most bytes that a line of this row can take: three for each UTF-16 unit. */
export const maxLineBytes = (json: string): number => json.length * 3 + PREFIX + SUFFIX.length;

/** Writes the line into a buffer that has `maxLineBytes` of room there. @returns its length */
export function putLine(json: string, into: Buffer, at: number): number {
  const length = into.write(json, at + PREFIX, 'utf8');
  const end = at + PREFIX + length;
  into[at] = BRACKET;
  into[at + 1] = QUOTE;
  putHex(crc32(into.subarray(at + PREFIX, end)), into, at + 2);
  into[at + 10] = QUOTE;
  into[at + 11] = COMMA;
  into[end] = BRACKET_END;
  into[end + 1] = NEWLINE;
  return PREFIX + length + SUFFIX.length;
}

/** Eight digits. Byte by byte: texts made for it, and their copies, took as long as the checksum. */
function putHex(value: number, into: Buffer, at: number): void {
  for (let i = 7, rest = value; i >= 0; i--, rest >>>= 4) into[at + i] = HEX[rest & 0xf]!;
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
