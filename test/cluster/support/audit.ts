// What Tollgate wrote to the API server, by the server's own account.
import type { ApiServer, AuditLine } from './api-server.ts';

const READS = ['get', 'list', 'watch'];

/** Begins to count. @returns what was written since then, leases left out */
export async function countingWrites(server: ApiServer): Promise<() => Promise<AuditLine[]>> {
  const before = (await server.audit()).length;
  return async () =>
    (await server.audit())
      .slice(before)
      .filter(
        ({ verb, userAgent, objectRef }) =>
          !READS.includes(verb) && userAgent?.startsWith('tollgate') && objectRef?.resource !== 'leases',
      );
}

/** `configmaps, configmaps, llmroutes/status` */
export const written = (lines: readonly AuditLine[]): string =>
  lines
    .map(({ objectRef }) => [objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/'))
    .sort()
    .join(', ');
