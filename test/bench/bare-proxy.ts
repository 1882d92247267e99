// What the gateway is compared with: the least that a proxy for chat completions can do on node:http and undici. It parses the
// request, rewrites the model, and reads the usage of a reply; streams are piped with backpressure. No feature.
// usage: node bare-proxy.ts --port=19101 --upstream=19000
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { type Dispatcher, Pool } from 'undici';

const { values } = parseArgs({ options: { port: { type: 'string' }, upstream: { type: 'string' } } });
const pool = new Pool(`http://127.0.0.1:${values.upstream}`, { pipelining: 1 });
const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-upstream' };
/** Keeps the reading of the usage from being optimised away. */
let totalTokens = 0;

createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  readBody(request, body => {
    const parsed = JSON.parse(body.toString()) as { model: string };
    parsed.model = 'up-model';
    forward(request.url!, JSON.stringify(parsed), response);
  });
}).listen({ port: Number(values.port), host: '127.0.0.1', backlog: 4096 });

process.on('SIGTERM', () => process.exit(totalTokens < 0 ? 1 : 0));

function readBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  const pieces: Buffer[] = [];
  request.on('data', piece => pieces.push(piece));
  request.on('end', () => done(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)));
}

function forward(path: string, body: string, response: ServerResponse): void {
  let upstream: Dispatcher.DispatchController | undefined;
  response.on('close', () => {
    if (!response.writableFinished) upstream?.abort(new Error('the client is gone'));
  });
  pool.dispatch(
    { path, method: 'POST', headers, body },
    handlerFor(response, controller => (upstream = controller)),
  );
}

function handlerFor(
  response: ServerResponse,
  started: (controller: Dispatcher.DispatchController) => void,
): Dispatcher.DispatchHandler {
  const pieces: Buffer[] = [];
  let streaming = false;
  return {
    onRequestStart: started,
    onResponseStart(controller, status, replyHeaders) {
      const type = String(replyHeaders['content-type']);
      streaming = type.startsWith('text/event-stream');
      if (!streaming) {
        response.statusCode = status;
        response.setHeader('content-type', type);
        return;
      }
      response.writeHead(status, { 'content-type': type });
      response.flushHeaders();
      response.on('drain', () => controller.resume());
    },
    onResponseData(controller, piece) {
      if (!streaming) pieces.push(piece);
      else if (!response.write(piece)) controller.pause();
    },
    onResponseEnd() {
      if (streaming) {
        response.end();
        return;
      }
      const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      totalTokens += (JSON.parse(body.toString()) as { usage: { total_tokens: number } }).usage.total_tokens;
      response.setHeader('content-length', body.length);
      response.end(body);
    },
    onResponseError(_controller, error) {
      if (!response.headersSent) response.writeHead(502);
      response.end(error.message);
    },
  };
}
