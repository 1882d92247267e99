// What can go wrong on the way to an API server: a TCP relay whose connections can be reset, or frozen as by a peer that vanished; and
// a server in front that answers for the real one.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { Agent, request } from 'undici';
import type { ApiServer } from './api-server.ts';

export type Relay = {
  readonly port: number;
  readonly connections: number;
  /** Of those that are open now, no byte passes any more in either direction, and none is closed. */
  freeze(): void;
  reset(): void;
  /** Whether connections are reset, those that are open and new ones. */
  refuse(refuses: boolean): void;
  close(): Promise<void>;
};

export async function startRelay(server: Pick<ApiServer, 'port' | 'host'>): Promise<Relay> {
  const open = new Set<{ readonly client: Socket; readonly upstream: Socket }>();
  let connections = 0;
  let refuses = false;
  const relay = createServer(client => {
    connections += 1;
    if (refuses) return void client.resetAndDestroy();
    const upstream = connect(server.port, server.host);
    const pair = { client, upstream };
    open.add(pair);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => {
      open.delete(pair);
      client.destroy();
    });
    client.pipe(upstream).pipe(client);
  });
  const port = await listening(relay);
  const reset = (): void => {
    for (const { client } of open) client.resetAndDestroy();
  };
  return {
    port,
    get connections() {
      return connections;
    },
    freeze() {
      for (const { client, upstream } of open) {
        client.unpipe(upstream).pause();
        upstream.unpipe(client).pause();
      }
    },
    reset,
    refuse(next) {
      refuses = next;
      if (refuses) reset();
    },
    async close() {
      for (const { client, upstream } of open) {
        client.destroy();
        upstream.destroy();
      }
      relay.close();
      await once(relay, 'close');
    },
  };
}

export type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown };

export type Front = {
  readonly port: number;
  /** What it answers itself, asked for each request; undefined: the real server is asked. */
  set(answer: (method: string, url: string) => Answer | undefined): void;
  close(): Promise<void>;
};

/** Ends TLS with the API server's own certificate. */
export async function startFront(server: ApiServer): Promise<Front> {
  const [key, cert] = await Promise.all(['tls.key', 'tls.crt'].map(file => readFile(path.join(server.folder, file), 'utf8')));
  const agent = new Agent({ connect: { rejectUnauthorized: false }, bodyTimeout: 0 });
  let answerFor: Parameters<Front['set']>[0] = () => undefined;
  const front: Http2SecureServer = createSecureServer({ key: key!, cert: cert! }, async (asked, answer) => {
    const own = answerFor(asked.method, asked.url);
    if (own)
      return void answer
        .writeHead(own.status, { 'content-type': 'application/json', ...own.headers })
        .end(JSON.stringify(own.body));
    await forwarded(server, agent, asked, answer).catch(() => answer.stream?.close());
  });
  const sessions = new Set<{ destroy(): void }>();
  front.on('session', session => sessions.add(session));
  const port = await listening(front);
  return {
    port,
    set: next => {
      answerFor = next;
    },
    async close() {
      for (const session of sessions) session.destroy();
      front.close();
      await once(front, 'close');
      await agent.destroy();
    },
  };
}

async function forwarded(server: ApiServer, agent: Agent, asked: Http2ServerRequest, answer: Http2ServerResponse): Promise<void> {
  const headers = Object.entries(asked.headers).filter(([name]) => !name.startsWith(':'));
  const gone = new AbortController();
  answer.on('close', () => gone.abort());
  const got = await request(`${server.url}${asked.url}`, {
    method: asked.method as 'GET',
    dispatcher: agent,
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: asked.method === 'GET' ? null : asked,
    signal: gone.signal,
  });
  answer.writeHead(got.statusCode, { 'content-type': String(got.headers['content-type']) });
  pipeline(got.body, answer, () => {});
}

async function listening(server: Server | Http2SecureServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
