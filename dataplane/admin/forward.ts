// In a cluster, keys are objects of the API server, which a data plane never writes: changes of keys go to the operator as they came.
import { failure, statusOf } from '#core/failure.ts';
import { anyDialect } from '../frontends/index.ts';
import type { Handler } from '../http/listener.ts';

export type ForwardOptions = {
  /** Base of the operator's internal listener; undefined: there is no way to it. */
  readonly operatorUrl: string | undefined;
  readonly newRequestId: () => string;
};

/** An answer of the operator comes when the change is served everywhere. */
const ANSWER_MS = 30_000;

export const isKeyChange = (method: string | undefined, path: string): boolean => path.startsWith('/key/') && method === 'POST';

export function keyForwarder({ operatorUrl, newRequestId }: ForwardOptions): Handler {
  const refused = (res: Parameters<Handler>[1], status: number, message: string) => {
    const id = newRequestId();
    const reason = failure(status === 501 ? 'not_implemented' : 'store_unavailable', { message, status });
    if (res.headersSent) return void res.destroy();
    res.writeHead(statusOf(reason), { 'content-type': 'application/json', 'x-request-id': id });
    res.end(anyDialect.encodeError(reason, id));
  };
  if (operatorUrl === undefined)
    return (_req, res) => refused(res, 501, 'Keys are TenantKey objects here: change them with kubectl, or set OPERATOR_URL.');
  const proxy = import('http-proxy-3').then(({ createProxyServer }) =>
    createProxyServer({ target: operatorUrl, proxyTimeout: ANSWER_MS, timeout: ANSWER_MS, xfwd: true }),
  );
  return (req, res) => {
    proxy.then(
      server =>
        server.web(req, res, {}, () =>
          refused(res, 503, 'The operator cannot be reached. Whether the change was made is not known.'),
        ),
      () => refused(res, 503, 'The operator cannot be reached. Nothing was changed.'),
    );
  };
}
