// A TCP proxy that fails on purpose, between a client and a server that know nothing of it. The fault in force is a value that can
// be changed while connections are open; it acts on the bytes from the server to the client.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Fault =
  | { readonly kind: 'none' }
  /** Connections are reset as soon as they are made. */
  | { readonly kind: 'refuse' }
  /** Each piece of the answer comes this much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** After this many bytes of answer the connection ends cleanly (FIN). */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** After this many bytes of answer the connection is reset (RST). */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** After this many bytes of answer nothing more comes, and the connection stays. */
  | { readonly kind: 'stall'; readonly afterBytes: number };

export type FaultProxy = {
  readonly url: string;
  readonly port: number;
  /** Connections made so far, refused ones too. */
  readonly connections: number;
  /** Holds for connections that are made from now on. */
  set(fault: Fault): void;
  close(): Promise<void>;
};

export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  let fault: Fault = { kind: 'none' };
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer(client => {
    connections++;
    if (fault.kind === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    client.pipe(upstream);
    forward(upstream, client, fault);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get connections() {
      return connections;
    },
    set: next => {
      fault = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function forward(upstream: Socket, client: Socket, fault: Fault): void {
  switch (fault.kind) {
    case 'none':
    case 'refuse':
      upstream.pipe(client);
      return;
    case 'delay':
      upstream.on('data', chunk => setTimeout(() => client.write(chunk), fault.ms));
      upstream.on('end', () => setTimeout(() => client.end(), fault.ms));
      return;
    default:
      forwardUpTo(fault.afterBytes, upstream, client, endings[fault.kind]);
  }
}

const endings: Record<'cut' | 'reset' | 'stall', (client: Socket) => void> = {
  cut: client => client.end(),
  reset: client => client.resetAndDestroy(),
  stall: () => {},
};

function forwardUpTo(limit: number, upstream: Socket, client: Socket, end: (client: Socket) => void): void {
  let left = limit;
  upstream.on('data', (chunk: Buffer) => {
    if (left <= 0) return;
    const part = chunk.subarray(0, left);
    left -= part.length;
    client.write(part, () => {
      if (left <= 0) end(client);
    });
  });
  upstream.on('end', () => {
    if (left > 0) client.end();
  });
}
