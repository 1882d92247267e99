// An upstream that says exactly the bytes a test gives it, and remembers exactly the bytes it was asked: for what the simulator is too
// well-behaved for.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Asked = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

/** Answers one request; gets the response to write to, and what was asked. */
export type Script = (response: ServerResponse, asked: Asked) => void | Promise<void>;

export type Upstream = {
  readonly url: string;
  readonly port: number;
  /** In order of arrival. */
  readonly asked: Asked[];
  /** Holds for requests from now on. */
  answer(script: Script): void;
  close(): Promise<void>;
};

export async function startUpstream(script: Script): Promise<Upstream> {
  let current = script;
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const one = { path: request.url ?? '', headers: request.headers, body };
    asked.push(one);
    await current(response, one);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    answer: next => {
      current = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export const json =
  (status: number, body: string | Record<string, unknown>, headers: Record<string, string> = {}): Script =>
  response => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  };

/** A whole stream in one go. */
export const eventStream =
  (text: string): Script =>
  response => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);
  };
