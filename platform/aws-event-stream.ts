// AWS's binary event stream (`application/vnd.amazon.eventstream`): messages of headers and a payload, each with its length and two
// checksums. Layout: smithy.io, "Amazon Event Stream Specification".
//
//     total length | length of headers | CRC of these 8 bytes | headers | payload | CRC of all before
//         4 bytes           4                    4                                        4
import { crc32 } from 'node:zlib';

/** `headers`: those that are texts; by the specification there are others, which nothing of what we read has. */
export type EventMessage = { readonly headers: Readonly<Record<string, string>>; readonly payload: Buffer };

export const EVENT_STREAM_TYPE = 'application/vnd.amazon.eventstream';

const PRELUDE_BYTES = 12;
const OVERHEAD_BYTES = 16;
/** Providers send some kilobytes in one. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Cuts bytes into messages, wherever the network cut them. */
export class EventStreamReader {
  #chunks: Buffer[] = [];
  #have = 0;
  #need = PRELUDE_BYTES;
  /** Why nothing more can be read: past a broken message nobody knows where the next one begins. */
  broken: string | undefined;

  /** Whole messages, as far as the bytes go. They share the memory of the chunk. */
  push(chunk: Buffer): readonly EventMessage[] {
    if (this.broken !== undefined || chunk.length === 0) return [];
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#have);
    const messages: EventMessage[] = [];
    let at = 0;
    while (this.broken === undefined && bytes.length - at >= this.#need) {
      if (this.#need === PRELUDE_BYTES) this.#need = this.#lengthOf(bytes, at);
      else {
        const message = this.#message(bytes.subarray(at, at + this.#need));
        if (message) messages.push(message);
        at += this.#need;
        this.#need = PRELUDE_BYTES;
      }
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#have = bytes.length - at;
    return messages;
  }

  /** Checked before anything is waited for: a length that nobody vouches for could be any. */
  #lengthOf(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at);
    const headers = bytes.readUInt32BE(at + 4);
    if (bytes.readUInt32BE(at + 8) !== crc32(bytes.subarray(at, at + 8))) this.broken = 'a prelude does not match its checksum';
    else if (length < OVERHEAD_BYTES + headers) this.broken = 'a message is shorter than its headers';
    else if (length > MAX_MESSAGE_BYTES) this.broken = 'a message is too long';
    return length;
  }

  #message(bytes: Buffer): EventMessage | undefined {
    const end = bytes.length - 4;
    if (bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) {
      this.broken = 'a message does not match its checksum';
      return undefined;
    }
    const payloadAt = PRELUDE_BYTES + bytes.readUInt32BE(4);
    const headers = headersIn(bytes.subarray(PRELUDE_BYTES, payloadAt));
    if (!headers) this.broken = 'the headers of a message cannot be read';
    return headers && { headers, payload: bytes.subarray(payloadAt, end) };
  }
}

const TEXT = 7;
/** Of a value, by its type; of types 6 and 7 the value begins with its length, in two bytes. */
const VALUE_BYTES: readonly (number | 'counted')[] = [0, 0, 1, 2, 4, 8, 'counted', 'counted', 8, 16];

function headersIn(bytes: Buffer): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  let at = 0;
  while (at < bytes.length) {
    const typeAt = at + 1 + bytes[at]!;
    const size = VALUE_BYTES[bytes[typeAt] ?? -1];
    if (size === undefined || (size === 'counted' && typeAt + 3 > bytes.length)) return undefined;
    const valueAt = typeAt + (size === 'counted' ? 3 : 1);
    const end = valueAt + (size === 'counted' ? bytes.readUInt16BE(typeAt + 1) : size);
    if (end > bytes.length) return undefined;
    if (bytes[typeAt] === TEXT) headers[bytes.toString('utf8', at + 1, typeAt)] = bytes.toString('utf8', valueAt, end);
    at = end;
  }
  return headers;
}

/** One message as its bytes. Names of at most 255 bytes, values of at most 65535. */
export function eventMessage(headers: Readonly<Record<string, string>>, payload: Buffer): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(headerBytes));
  const bytes = Buffer.allocUnsafe(OVERHEAD_BYTES + head.length + payload.length);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt32BE(head.length, 4);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
  head.copy(bytes, PRELUDE_BYTES);
  payload.copy(bytes, PRELUDE_BYTES + head.length);
  const end = bytes.length - 4;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end);
  return bytes;
}

function headerBytes([name, value]: [string, string]): Buffer {
  const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)];
  return Buffer.concat([
    Buffer.of(nameBytes.length),
    nameBytes,
    Buffer.of(TEXT, valueBytes.length >> 8, valueBytes.length & 0xff),
    valueBytes,
  ]);
}
