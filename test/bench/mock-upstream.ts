// The upstream of the benchmark: the wires of all providers on plain sockets, cheap enough that it is not the bottleneck.
// A stream writes its first piece together with the head, as engines do, and every later one at its own due time.
// usage: node mock-upstream.ts --port=19000
import { createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { isStreamed, type Orders, readOrders, type Wire, wireOf } from './wires.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '19000' } } });
const replies = new Map<string, Buffer>();

createServer({ noDelay: true }, serve).listen({ port: Number(values.port), host: '127.0.0.1', backlog: 4096 });

/** Reads requests with a content length, one after another. */
function serve(socket: Socket): void {
  let pieces: Buffer[] = [];
  let received = 0;
  let needed = 0;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    pieces.push(chunk);
    received += chunk.length;
    if (received < needed) return;
    const bytes = pieces.length === 1 ? chunk : Buffer.concat(pieces);
    pieces = [bytes];
    const head = bytes.indexOf('\r\n\r\n');
    if (head < 0) return;
    const text = bytes.toString('latin1', 0, head);
    needed = head + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    if (received < needed) return;
    const body = bytes.subarray(head + 4, needed);
    pieces = [];
    received = needed = 0;
    answer(socket, text.slice(0, text.indexOf('\r\n')), body);
  });
}

function answer(socket: Socket, requestLine: string, body: Buffer): void {
  const orders = readOrders(body);
  const wire = wireOf(requestLine);
  if (isStreamed(requestLine, body)) stream(socket, wire, orders);
  else socket.write(replyOf(requestLine, wire, orders.bytes));
}

function replyOf(requestLine: string, wire: Wire, bytes: number): Buffer {
  const name = `${bytes} ${requestLine}`;
  const known = replies.get(name);
  if (known) return known;
  const body = wire.reply(bytes);
  const reply = Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_mock\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  replies.set(name, reply);
  return reply;
}

const headOf = ({ contentType = 'text/event-stream; charset=utf-8' }: Wire): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\ncache-control: no-cache\r\nx-request-id: req_mock\r\n` +
  'transfer-encoding: chunked\r\n\r\n';
const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

function stream(socket: Socket, wire: Wire, { chunks, every }: Orders): void {
  const start = performance.now();
  let sent = 0;
  const step = () => {
    if (socket.destroyed) return;
    const head = sent === 0 ? headOf(wire) + (wire.streamStart && chunked(wire.streamStart)) : '';
    const text = head + chunked(wire.streamChunk());
    if (++sent === chunks) {
      socket.write(`${text}${chunked(wire.streamEnd(chunks))}0\r\n\r\n`, 'latin1');
      return;
    }
    const flowing = socket.write(text, 'latin1');
    if (every > 0) setTimeout(step, Math.max(0, start + sent * every - performance.now()));
    else if (flowing) setImmediate(step);
    else socket.once('drain', step);
  };
  step();
}
