// Bodies with bounds: collecting chunks up to a size, and decompression that a small answer cannot turn into a flood.
import zlib from 'node:zlib';

export type Collector = {
  /** @returns false: the bound is passed, the chunk was not added */
  add(chunk: Buffer): boolean;
  all(): Buffer;
};

export function collector(maxBytes: number): Collector {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk) {
      if (size + chunk.length > maxBytes) return false;
      size += chunk.length;
      chunks.push(chunk);
      return true;
    },
    all: () => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)),
  };
}

export type Decompressor = { write(chunk: Buffer): void; end(): void };
export type DecompressorEvents = { data(chunk: Buffer): void; end(): void; error(): void };

/**
 * Undoes a content encoding as bytes come in, at most `maxBytes` of output.
 * @returns undefined for an encoding that changes nothing
 */
export function decompressor(encoding: string, maxBytes: number, on: DecompressorEvents): Decompressor | undefined {
  const stream = zlibStream(encoding.trim().toLowerCase());
  if (!stream) return undefined;
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBytes) on.data(chunk);
    else stream.destroy(new Error('too large'));
  });
  stream.on('end', () => on.end());
  stream.on('error', () => on.error());
  return { write: chunk => void stream.write(chunk), end: () => void stream.end() };
}

function zlibStream(encoding: string) {
  switch (encoding) {
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'zstd':
      return zlib.createZstdDecompress();
    default:
      // Passing unknown bytes on as text would be worse than refusing: an inflater that gets them reports an error.
      return zlib.createInflate();
  }
}
