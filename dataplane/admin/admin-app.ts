// The door to the administration API. What it is made of, express above all, is loaded with the first request that needs it: a
// gateway that nobody administers pays nothing for it.
import { failure, statusOf } from '#core/failure.ts';
import { anyDialect } from '../frontends/index.ts';
import type { Handler } from '../http/listener.ts';
import type { AdminPorts } from './admin-ports.ts';

/** Paths that are the API's; what ends in `/` stands for all below it. */
const adminPaths = [
  '/key/',
  '/spend/',
  '/cost/report',
  '/global/spend',
  '/global/spend/',
  '/user/daily/activity',
  '/team/daily/activity',
  '/tag/daily/activity',
  '/cache',
] as const;

export const isAdminPath = (path: string): boolean =>
  adminPaths.some(known => path === known || (known.endsWith('/') && path.startsWith(known)));

export function adminApp(ports: AdminPorts): Handler {
  let loading: Promise<Handler> | undefined;
  return (req, res, path, query) => {
    loading ??= import('./express-app.ts').then(({ expressApp }) => expressApp(ports));
    loading.then(
      handle => handle(req, res, path, query),
      error => {
        loading = undefined;
        const [id, bug] = [ports.newRequestId(), failure('internal_error')];
        ports.onError(error, id);
        res
          .writeHead(statusOf(bug), { 'content-type': 'application/json', 'x-request-id': id })
          .end(anyDialect.encodeError(bug, id));
      },
    );
  };
}
