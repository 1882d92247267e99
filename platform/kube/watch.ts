// The stream of a watch: one JSON object per line, cut into chunks anywhere.
import { errorOf, KubeError, type Status } from './errors.ts';
import type { KubeObject } from './resource.ts';

export type WatchEvent<T extends KubeObject> =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: T }
  /** Nothing changed up to this version: a watch that is resumed from here need not be told again. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string };

/** An object is at most 1.5 MiB in etcd; its JSON can be a few times that. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
const NEWLINE = 0x0a;

/** @throws KubeError when the server sends an ERROR event (410: `gone`), or what is no event at all */
export async function* eventsIn<T extends KubeObject>(body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent<T>> {
  for await (const line of linesIn(body)) yield eventIn<T>(line);
}

type Sent = { readonly type: string; readonly object: unknown };

function eventIn<T extends KubeObject>(line: string): WatchEvent<T> {
  const { type, object } = parsed(line);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { kind: type.toLowerCase() as 'added' | 'modified' | 'deleted', object: object as T };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion: (object as KubeObject).metadata.resourceVersion! };
    case 'ERROR':
      throw errorOf((object as Status).code ?? 500, object as Status);
    default:
      throw new KubeError('server', `a watch event of an unknown type: ${type}`);
  }
}

function parsed(line: string): Sent {
  try {
    return JSON.parse(line) as Sent;
  } catch {
    throw new KubeError('unreachable', 'a watch event that is not whole');
  }
}

async function* linesIn(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      const line = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      parts = [];
      bytes = 0;
      start = end + 1;
      if (line.length > 0) yield line.toString('utf8');
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > MAX_LINE_BYTES) throw new KubeError('server', `a watch event of more than ${MAX_LINE_BYTES} bytes`);
  }
}
