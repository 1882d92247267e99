// The clients of the benchmark, on plain sockets; prints one line of JSON. With --rate, latency counts from the moment a request
// fell due, so a server that stands still is charged for its queue (no coordinated omission); without, the loop is closed.
// usage: node load.ts --port=4000 --key=KEY --model=NAME [--conns=64] [--rate=0] [--seconds=4] [--warm=1] [--bytes=1024]
//        [--stream] [--orders=chunks=100,every=5] [--sample=8] [--pid=PID of the server, for its CPU and memory]
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds, residentMiB } from './process-cost.ts';
import { nowMicroseconds, requestBody, TIME_DIGITS, TIME_MARK } from './wires.ts';

/** Times in milliseconds; null where nothing was measured. */
export type LoadResult = {
  readonly perSecond: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly firstByte50: number | null;
  readonly firstByte99: number | null;
  /** From the upstream's write of a piece of text to its arrival here. */
  readonly chunk50: number | null;
  readonly chunk99: number | null;
  readonly chunksPerSecond: number;
  readonly cpuMicrosPerRequest: number | null;
  /** Of one core. */
  readonly cpuShare: number | null;
  readonly cpuMicrosPerChunk: number | null;
  readonly residentMiB: number | null;
  /** Of the load generator itself: near 1, the figures speak of it. */
  readonly ownCpuShare: number;
};

const text = (value: string) => ({ type: 'string', default: value }) as const;
const { values: options } = parseArgs({
  options: {
    port: text(''),
    key: text(''),
    model: text('gpt-alias'),
    conns: text('64'),
    rate: text('0'),
    seconds: text('4'),
    warm: text('1'),
    bytes: text('1024'),
    stream: { type: 'boolean', default: false },
    orders: text(''),
    sample: text('8'),
    pid: text('0'),
  },
});
const [port, conns, rate, pid] = [options.port, options.conns, options.rate, options.pid].map(Number) as [
  number,
  number,
  number,
  number,
];
const request = requestBytes();

/** What was seen while `measuring`. */
const seen = { done: 0, errors: 0, chunks: 0, latency: [] as number[], firstByte: [] as number[], chunkDelay: [] as number[] };
let measuring = false;
let stopping = false;
/** Connections without a request, and due times of requests without a connection. */
const idle: Client[] = [];
const queue: number[] = [];
const MAX_QUEUE = 20_000;

class Client {
  readonly #socket: Socket;
  readonly #sampled: boolean;
  #due = 0;
  #busy = false;
  #ok = false;
  #received = 0;
  #needed = 0;
  #end = '';

  constructor(index: number) {
    this.#sampled = index % Number(options.sample) === 0;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('connect', () => idle.push(this));
    this.#socket.on('data', (data: Buffer) => this.#read(data));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#closed(index));
  }

  send(due: number): void {
    this.#due = due;
    this.#busy = true;
    this.#received = 0;
    this.#socket.write(request);
  }

  #read(data: Buffer): void {
    if (this.#received === 0) this.#readHead(data);
    this.#received += data.length;
    if (measuring && options.stream) this.#readTimes(data);
    this.#end = (this.#end + data.toString('latin1', Math.max(0, data.length - 5))).slice(-5);
    if (this.#needed > 0 ? this.#received >= this.#needed : this.#end === '0\r\n\r\n') this.#finish();
  }

  #readHead(data: Buffer): void {
    const end = data.indexOf('\r\n\r\n');
    const head = data.toString('latin1', 0, end).toLowerCase();
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    this.#ok = head.startsWith('200', 9);
    this.#needed = length ? end + 4 + Number(length) : 0;
    this.#end = '';
    if (measuring) seen.firstByte.push(performance.now() - this.#due);
  }

  #readTimes(data: Buffer): void {
    const now = nowMicroseconds();
    const size = TIME_MARK.length;
    for (let at = data.indexOf(TIME_MARK); at >= 0; at = data.indexOf(TIME_MARK, at + size)) {
      seen.chunks++;
      if (this.#sampled && at + size + TIME_DIGITS <= data.length) {
        seen.chunkDelay.push((now - Number(data.toString('latin1', at + size, at + size + TIME_DIGITS))) / 1000);
      }
    }
  }

  #finish(): void {
    this.#busy = false;
    if (measuring) {
      if (this.#ok) {
        seen.done++;
        seen.latency.push(performance.now() - this.#due);
      } else seen.errors++;
    }
    const due = rate > 0 ? queue.shift() : stopping ? undefined : performance.now();
    if (due === undefined) idle.push(this);
    else this.send(due);
  }

  #closed(index: number): void {
    if (measuring && this.#busy) seen.errors++;
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
    if (!stopping) setTimeout(() => new Client(index), 20);
  }
}

for (let i = 0; i < conns; i++) new Client(i);
await sleep(100 + conns / 5);
if (rate > 0) sendAtRate();
else await sendToAll();
await sleep(Number(options.warm) * 1000);
console.log(JSON.stringify(await measured()));
process.exit(0);

function sendAtRate(): void {
  const start = performance.now();
  let sent = 0;
  setInterval(() => {
    for (const now = performance.now(); sent < ((now - start) * rate) / 1000; sent++) {
      const due = start + (sent * 1000) / rate;
      const client = idle.pop();
      if (client) client.send(due);
      else if (queue.length < MAX_QUEUE) queue.push(due);
      else if (measuring) seen.errors++;
    }
  }, 1);
}

/** Streams begin one after another, so that their pieces do not all fall due at once. */
async function sendToAll(): Promise<void> {
  for (const client of idle.splice(0)) {
    client.send(performance.now());
    if (options.stream) await sleep(1);
  }
}

async function measured(): Promise<LoadResult> {
  const cpuBefore = cpuSeconds(pid);
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  measuring = true;
  await sleep(Number(options.seconds) * 1000);
  measuring = false;
  const seconds = (performance.now() - start) / 1000;
  const cpu = (cpuSeconds(pid) ?? Number.NaN) - (cpuBefore ?? Number.NaN);
  const own = process.cpuUsage(ownBefore);
  stopping = true;
  return {
    perSecond: seen.done / seconds,
    errors: seen.errors,
    ...percentiles('p', seen.latency),
    ...percentiles('firstByte', seen.firstByte),
    ...percentiles('chunk', seen.chunkDelay),
    chunksPerSecond: seen.chunks / seconds,
    cpuMicrosPerRequest: (cpu / seen.done) * 1e6,
    cpuMicrosPerChunk: (cpu / seen.chunks) * 1e6,
    cpuShare: cpu / seconds,
    residentMiB: residentMiB(pid) ?? null,
    ownCpuShare: (own.user + own.system) / 1e6 / seconds,
  };
}

function percentiles<Name extends 'p' | 'firstByte' | 'chunk'>(
  name: Name,
  times: number[],
): Record<`${Name}50` | `${Name}99`, number | null> {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? null;
  return { [`${name}50`]: at(0.5), [`${name}99`]: at(0.99) } as Record<`${Name}50` | `${Name}99`, number | null>;
}

function requestBytes(): Buffer {
  const orders = Object.fromEntries(
    options.orders
      .split(',')
      .filter(Boolean)
      .map(pair => [pair.split('=')[0]!, Number(pair.split('=')[1])]),
  );
  const body = requestBody({ model: options.model, bytes: Number(options.bytes), stream: options.stream, orders });
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${options.key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
