// What Tollgate wrote to the API server, by the server's own account.
import type { ApiServer, AuditLine } from './api-server.ts';

const READS = ['get', 'list', 'watch'];

/** Leases tell that somebody leads, Events tell people what happened: neither is a write for a change. */
const BESIDES = ['leases', 'events'];

/** Begins to count. @returns what was written since then, leases and Events left out */
export async function countingWrites(server: ApiServer): Promise<() => Promise<AuditLine[]>> {
  const before = (await server.audit()).length;
  const counts = ({ verb, userAgent, objectRef }: AuditLine): boolean =>
    !READS.includes(verb) && userAgent?.startsWith('tollgate') === true && !BESIDES.includes(objectRef?.resource ?? '');
  return async () => (await server.audit()).slice(before).filter(counts);
}

/** `configmaps, configmaps, llmroutes/status` */
export const written = (lines: readonly AuditLine[]): string =>
  lines
    .map(({ objectRef }) => [objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/'))
    .sort()
    .join(', ');
