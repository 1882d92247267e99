// Answers and entries as bytes: what is kept of them in Redis, and of answers in memory too.
import { randomBytes } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { EpochMillis } from '#core/units.ts';
import type { CachedAnswer, CacheEntry, CacheStoreOptions, NewEntry } from './store.ts';

const PLAIN = 0;
const ZSTD = 1;
/** Below it the frame of the compression costs more than it saves. */
const WORTH_COMPRESSING = 512;
/** What an answer may become again: no more than a response of an upstream may be. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** The first byte says how the rest is kept. */
export function encodeAnswer(answer: CachedAnswer): Buffer {
  const plain = Buffer.from(JSON.stringify(answer));
  if (plain.length >= WORTH_COMPRESSING) {
    const packed = zstdCompressSync(plain);
    if (packed.length < plain.length * 0.9) return Buffer.concat([Buffer.of(ZSTD), packed]);
  }
  return Buffer.concat([Buffer.of(PLAIN), plain]);
}

/** undefined: it is none, or of a version that is not known here. */
export function decodeAnswer(bytes: Buffer): CachedAnswer | undefined {
  try {
    const rest = bytes.subarray(1);
    if (bytes[0] === PLAIN) return JSON.parse(rest.toString());
    if (bytes[0] === ZSTD) return JSON.parse(zstdDecompressSync(rest, { maxOutputLength: MAX_ANSWER_BYTES }).toString());
  } catch {}
  return undefined;
}

// ---------------------------------------------------------------- entries

const DIGEST_BYTES = 32;
/** The length of the JSON. */
const HEAD_BYTES = 4;

/** One answer takes at most this share of all. */
const MAX_SHARE = 1 / 16;
type Meta = readonly [
  id: string,
  tenant: string,
  route: string,
  model: string,
  prompt: string,
  tags: readonly string[],
  createdAt: number,
  freshFor: number,
  goneAfter: number,
  answerBytes: number,
  embedder: string,
  guards: string,
];

export type EntryRecord = { readonly entry: CacheEntry; readonly vector: Int8Array | undefined };

/** An entry as it is stored: with vectors in the precision they have everywhere. undefined: too large. */
export function newEntry(
  made: NewEntry,
  answerBytes: number,
  { maxBytes, now }: CacheStoreOptions,
): (EntryRecord & { readonly record: Buffer }) | undefined {
  const { vector, ttl, staleFor, askedAt: _asked, ...rest } = made;
  const createdAt = now();
  const [freshUntil, goneAt] = [createdAt + ttl, createdAt + ttl + staleFor] as [EpochMillis, EpochMillis];
  const id = randomBytes(12).toString('base64url');
  const record = encodeEntry(
    { ...rest, id, createdAt: createdAt as EpochMillis, freshUntil, goneAt },
    answerBytes,
    rest.prompt === '' ? undefined : vector,
  );
  return record.length + answerBytes > maxBytes * MAX_SHARE ? undefined : { record, ...decodeEntry(record)! };
}

/**
 * u32 length of the JSON; 32 bytes partition; 32 bytes key; JSON; the vector, a signed byte for each component.
 *
 * @param answerBytes what is kept of the answer
 */
function encodeEntry(entry: Omit<CacheEntry, 'bytes'>, answerBytes: number, vector: Float32Array | undefined): Buffer {
  const { createdAt } = entry;
  const meta: Meta = [
    entry.id,
    entry.tenant,
    entry.route,
    entry.model,
    entry.prompt,
    entry.tags,
    createdAt,
    entry.freshUntil - createdAt,
    entry.goneAt - createdAt,
    answerBytes,
    entry.embedder,
    entry.guards,
  ];
  const json = Buffer.from(JSON.stringify(meta));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(json.length);
  return Buffer.concat([head, Buffer.from(entry.partition, 'hex'), Buffer.from(entry.key, 'hex'), json, quantised(vector)]);
}

/** undefined: it is none, or of a version that is not known here. */
export function decodeEntry(bytes: Buffer): EntryRecord | undefined {
  try {
    const metaAt = HEAD_BYTES + 2 * DIGEST_BYTES;
    const vectorAt = metaAt + bytes.readUInt32LE();
    const meta: Meta = JSON.parse(bytes.toString('utf8', metaAt, vectorAt));
    const [id, tenant, route, model, prompt, tags, createdAt, freshFor, goneAfter, answerBytes, embedder, guards] = meta;
    const entry = {
      id,
      partition: bytes.toString('hex', HEAD_BYTES, HEAD_BYTES + DIGEST_BYTES),
      key: bytes.toString('hex', HEAD_BYTES + DIGEST_BYTES, metaAt),
      prompt,
      tenant,
      route,
      model,
      tags,
      createdAt,
      freshUntil: createdAt + freshFor,
      goneAt: createdAt + goneAfter,
      bytes: bytes.length + answerBytes,
      embedder,
      guards,
    } as CacheEntry;
    const dimension = bytes.length - vectorAt;
    return { entry, vector: dimension > 0 ? new Int8Array(bytes.buffer, bytes.byteOffset + vectorAt, dimension) : undefined };
  } catch {
    return undefined;
  }
}

/** A signed byte for each component, the greatest 127: the direction is all that counts. */
function quantised(vector: Float32Array | undefined): Buffer {
  if (!vector) return Buffer.alloc(0);
  let greatest = 0;
  for (const component of vector) greatest = Math.max(greatest, Math.abs(component));
  return Buffer.from(Int8Array.from(vector, component => Math.round((component / (greatest || 1)) * 127)).buffer);
}
