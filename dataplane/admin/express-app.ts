// The administration API as an express application, built from the table of its routes: authentication, bodies, errors and methods
// are decided here, once for all of them.
import { isUtf8 } from 'node:buffer';
import express, { type Express, type Request, type Response } from 'express';
import { type Failure, failure, ok, type Parsed, refuse, statusOf } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { scanObject } from '#core/json/scan.ts';
import { authenticate } from '../authenticate.ts';
import { anyDialect } from '../frontends/index.ts';
import { type BodyBudget, type Handler, readBody } from '../http/listener.ts';
import { activityRoutes } from './activity-routes.ts';
import type { AdminPorts } from './admin-ports.ts';
import { cacheRoutes } from './cache-routes.ts';
import type { AdminRoute, Answer, Call, Caller } from './call.ts';
import { readQuery } from './call.ts';
import { costReportRoute } from './cost-report.ts';
import { keyRoutes } from './key-routes.ts';
import { spendRoutes } from './spend-routes.ts';

const adminRoutes: readonly AdminRoute[] = [...keyRoutes, ...spendRoutes, ...activityRoutes, costReportRoute, ...cacheRoutes];

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_BODIES_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 16;

/** @param routes those that this process answers */
export function expressApp(ports: AdminPorts, routes: readonly AdminRoute[] = adminRoutes): Handler {
  const app: Express = express();
  app.disable('x-powered-by').disable('etag').set('case sensitive routing', true).set('strict routing', true);
  app.set('query parser', false);
  const bodies: BodyBudget = { held: 0, max: MAX_BODIES_BYTES };
  app.use((_req, res, next) => {
    res.locals.id = ports.newRequestId();
    res.set('x-request-id', res.locals.id as string);
    // Keys and costs are in the answers.
    res.set('cache-control', 'no-store');
    next();
  });
  for (const [path, ofPath] of Map.groupBy(routes, route => route.path))
    app.all(path.replace('{key}', ':key'), (req, res) => answerCall(req, res, ofPath, ports, bodies));
  app.use((_req, res) => sendFailure(res, failure('not_found')));
  app.use((error: unknown, _req: Request, res: Response, _next: unknown) => {
    // What express itself refuses: a path that is not decodable.
    const { status } = error as { status?: number };
    if (status === 400) return sendFailure(res, failure('invalid_request', { message: 'The path is not valid.' }));
    ports.onError(error, String(res.locals.id));
    if (res.headersSent) res.destroy();
    else sendFailure(res, failure('internal_error'));
  });
  return (req, res) => app(req, res);
}

async function answerCall(
  req: Request,
  res: Response,
  routes: readonly AdminRoute[],
  ports: AdminPorts,
  bodies: BodyBudget,
): Promise<void> {
  const methods = routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  if (req.method === 'OPTIONS')
    return void res
      .set('allow', [...methods, 'OPTIONS'].join(', '))
      .status(204)
      .end();
  const route = routes.find(({ method }) => method === (req.method === 'HEAD' ? 'GET' : req.method));
  if (!route) {
    res.set('allow', methods.join(', '));
    return sendFailure(res, failure('method_not_allowed', { message: `This path takes ${methods.join(', ')}.` }));
  }
  const call = await callOf(req, route, String(res.locals.id), ports, bodies);
  const answer = call.ok ? await route.handle(call.value) : call;
  if (answer.ok) send(res, answer.value);
  else sendFailure(res, answer.failure);
}

/** Who calls comes first: nobody else's body is read. */
async function callOf(
  req: Request,
  route: AdminRoute,
  requestId: string,
  ports: AdminPorts,
  bodies: BodyBudget,
): Promise<Parsed<Call>> {
  const config = ports.config.current();
  const caller = callerOf(req, route, ports, config);
  if (!caller.ok) return caller;
  const { url } = req;
  const query = readQuery(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '', route.query ?? []);
  if (!query.ok) return query;
  const body = route.method === 'POST' ? await bodyOf(req, bodies) : ok({});
  if (!body.ok) return body;
  const keyInPath = String(req.params.key ?? '');
  return ok({ ports, config, caller: caller.value, requestId, keyInPath, query: query.value, body: body.value });
}

function callerOf(req: Request, { access }: AdminRoute, ports: AdminPorts, config: Call['config']): Parsed<Caller> {
  if (ports.isMasterKey(req.headers)) return ok({ kind: 'master' });
  const key = authenticate(config, req.headers, ports.digest, ports.now());
  if (!key.ok) return key;
  if (access === 'master') return refuse('permission_denied', { message: 'This needs the master key.' });
  return ok({ kind: 'key', key: key.value });
}

async function bodyOf(req: Request, bodies: BodyBudget): Promise<Parsed<JsonRecord>> {
  const bytes = await readBody(req, MAX_BODY_BYTES, bodies);
  if (!bytes.ok) return bytes;
  if (bytes.value.length === 0) return ok({});
  const view = scanObject(bytes.value, { maxDepth: MAX_DEPTH, interpreted: new Set(), isUtf8 });
  return view.ok ? ok(view.value.whole()) : view;
}

function send(res: Response, { body, type = 'application/json' as never }: Answer): void {
  res.status(200).set('content-type', type);
  res.end(res.req.method === 'HEAD' ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
}

function sendFailure(res: Response, reason: Failure): void {
  if (reason.retryAfter !== undefined) res.set('retry-after', String(Math.ceil(reason.retryAfter / 1000)));
  res.status(statusOf(reason)).set('content-type', 'application/json');
  res.end(res.req.method === 'HEAD' ? undefined : anyDialect.encodeError(reason, String(res.locals.id)));
}
