// Which path goes where on the two listeners, and how a request becomes an exchange.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Failure, failure, statusOf } from '#core/failure.ts';
import type { ChatExchange, Exchange } from '../exchange.ts';
import {
  anyDialect,
  dialectOf,
  type Endpoint,
  endpointOf,
  type Frontend,
  type StoredCall,
  storedOf,
} from '../frontends/index.ts';
import { passedOf, unlisted } from '../passthrough/endpoints.ts';
import { passedRequest } from '../passthrough/frontend.ts';
import { ClientResponse } from './client-response.ts';
import { type BodyBudget, type Handler, readBody } from './listener.ts';

/** A small answer that is made at once. */
export type Page = (req: PageRequest) => PageAnswer | Promise<PageAnswer>;
export type PageRequest = {
  readonly headers: IncomingMessage['headers'];
  readonly path: string;
  readonly query: URLSearchParams;
};
export type PageAnswer = { readonly status: number; readonly body: unknown; readonly type?: string } | Failure;

export type RouterOptions = {
  readonly serve: (exchange: Exchange) => Promise<void>;
  /** Calls about what a provider keeps. */
  readonly serveStored: (exchange: ChatExchange, call: StoredCall) => Promise<void>;
  /** By path; a path that ends in `/` stands for everything below it. */
  readonly pages: ReadonlyMap<string, Page>;
  readonly newRequestId: () => string;
  readonly monotonic: () => number;
  readonly maxBodyBytes: number;
  readonly bodyBudget: BodyBudget;
  /** A bug: what a request threw. */
  readonly onError: (error: unknown, requestId: string) => void;
};

export function publicRouter(options: RouterOptions): Handler {
  const pages = pageHandler(options);
  return (req, res, path, query) => {
    const endpoint = endpointOf(path, query);
    if (endpoint) return exchangeHandler(endpoint, options, req, res, path);
    const stored = storedOf(req.method ?? '', path, query);
    if (!stored) {
      const passed = passedOf(req.method ?? '', path, query);
      // Others have files and batches too, by the same paths: what is meant for them must not go to OpenAI.
      const isOpenAIs = dialectOf(path, req.headers) === anyDialect;
      return passed && isOpenAIs ? passedHandler(passed, options, req, res, path) : pages(req, res, path, query);
    }
    const exchange = exchangeOf(stored.endpoint, options, req, res, path) as ChatExchange;
    run(exchange, options.serveStored(exchange, stored.call), options);
  };
}

function exchangeHandler(
  endpoint: Endpoint,
  options: RouterOptions,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): void {
  if (req.method !== 'POST') {
    const reason = failure('method_not_allowed', { message: `${path} takes POST.` });
    return refusePage(res, options.newRequestId(), reason, ['allow', 'POST'], endpoint.frontend);
  }
  const exchange = exchangeOf(endpoint, options, req, res, path);
  run(exchange, options.serve(exchange), options);
}

/** What is passed on as it is. */
function passedHandler(
  passed: NonNullable<ReturnType<typeof passedOf>>,
  options: RouterOptions,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): void {
  if ('allowed' in passed) {
    const reason = failure('method_not_allowed', { message: `${path} takes ${passed.allowed.join(' and ')}.` });
    return refusePage(res, options.newRequestId(), reason, ['allow', passed.allowed.join(', ')]);
  }
  if (passed.endpoint.model === 'query') {
    const reason = failure('invalid_request', { message: `${path} takes a WebSocket.`, status: 426 });
    return refusePage(res, options.newRequestId(), reason, ['upgrade', 'websocket']);
  }
  const request = passedRequest(req, passed, options);
  if (!request.ok) return refusePage(res, options.newRequestId(), request.failure);
  const exchange: Exchange = { ...arrived(options, req, res, path), ...request.value };
  const served = options.serve(exchange).finally(() => request.value.form?.drop());
  run(exchange, served, options);
}

function arrived({ newRequestId, monotonic }: RouterOptions, req: IncomingMessage, res: ServerResponse, path: string) {
  return {
    id: newRequestId(),
    method: req.method ?? 'POST',
    path,
    headers: req.headers,
    client: new ClientResponse(res),
    startedAt: monotonic(),
  };
}

function exchangeOf(
  endpoint: Endpoint,
  options: RouterOptions,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): Exchange {
  const { framing, queryKey } = endpoint.action === 'unary' ? { framing: undefined, queryKey: undefined } : endpoint;
  return {
    ...endpoint,
    id: options.newRequestId(),
    method: req.method ?? 'POST',
    path,
    headers: queryKey === undefined ? req.headers : withKey(req.headers, queryKey),
    client: new ClientResponse(res, framing),
    startedAt: options.monotonic(),
    readBody: () => readBody(req, options.maxBodyBytes, options.bodyBudget),
  };
}

function run({ id, client, frontend }: Exchange, served: Promise<void>, { onError }: RouterOptions): void {
  served.catch(error => {
    onError(error, id);
    const bug = failure('internal_error');
    if (client.began) client.breakOff(frontend.encodeStreamError(bug, id));
    else client.whole(500, ['content-type', 'application/json', 'x-request-id', id], frontend.encodeError(bug, id));
  });
}

/** One in a header counts more: a URL is seen by more than who it is for. */
const withKey = (headers: IncomingMessage['headers'], key: string): IncomingMessage['headers'] => ({
  'x-goog-api-key': key,
  ...headers,
});

export function pageHandler({
  pages,
  newRequestId,
  onError,
}: Pick<RouterOptions, 'pages' | 'newRequestId' | 'onError'>): Handler {
  const folders = [...pages].filter(([name]) => name.endsWith('/'));
  return (req, res, path, query) => {
    const id = newRequestId();
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    const page = pages.get(path) ?? folders.find(([name]) => path.startsWith(name) && (isRead || !isAction(path)))?.[1];
    const refuse = (reason: Failure, headers: string[] = []) =>
      refusePage(res, id, reason, headers, dialectOf(path, req.headers));
    if (!page) return refuse(nothingAt(req.method ?? '', path));
    if (!isRead) return refuse(failure('method_not_allowed'), ['allow', 'GET']);
    Promise.resolve(page({ headers: req.headers, path, query: new URLSearchParams(query) })).then(
      answer => sendPage(res, id, answer),
      error => {
        onError(error, id);
        refusePage(res, id, failure('internal_error'));
      },
    );
  };
}

/** What Google's API does with a thing below a path stands behind a colon: `/v1beta/models/x:embedContent`. */
const isAction = (path: string): boolean => /:[a-z]+$/i.test(path);

const nothingAt = (method: string, path: string): Failure =>
  path.startsWith('/v1/') ? failure('not_found', { message: unlisted(method, path) }) : failure('not_found');

function sendPage(res: ServerResponse, id: string, answer: PageAnswer): void {
  if ('class' in answer) return refusePage(res, id, answer);
  const body = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  new ClientResponse(res).whole(answer.status, ['content-type', answer.type ?? 'application/json', 'x-request-id', id], body);
}

function refusePage(
  res: ServerResponse,
  id: string,
  reason: Failure,
  headers: string[] = [],
  { encodeError }: Pick<Frontend, 'encodeError'> = anyDialect,
): void {
  new ClientResponse(res).whole(
    statusOf(reason),
    ['content-type', 'application/json', 'x-request-id', id, ...headers],
    encodeError(reason, id),
  );
}
