// Frames of AWS's binary event stream, as Bedrock sends them.
import { crc32 } from 'node:zlib';

export type EventHeaders = Readonly<Record<string, string>>;

/** `total | headers | crc(8) || headers || payload || crc(all)`, lengths and checksums in four bytes each, big-endian. */
export function eventFrame(headers: EventHeaders, payload: string): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(textHeader));
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(8);
  prelude.writeUInt32BE(16 + head.length + body.length, 0);
  prelude.writeUInt32BE(head.length, 4);
  const unsealed = Buffer.concat([prelude, checksum(prelude), head, body]);
  return Buffer.concat([unsealed, checksum(unsealed)]);
}

/** Type 7: a text, its length in two bytes. */
function textHeader([name, value]: [string, string]): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([Buffer.of(Buffer.byteLength(name)), Buffer.from(name), Buffer.of(7), length, Buffer.from(value)]);
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum;
}
