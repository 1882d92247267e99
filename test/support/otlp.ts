// A receiver of traces: takes OTLP over HTTP as protobuf and reads of it what tests ask for. The wire format is read here by hand, so that what
// the gateway sends is not judged by the library that sent it (opentelemetry-proto, trace.proto; protobuf.dev, encoding).
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export type ReceivedSpan = {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentSpanId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  /** 0 unset, 2 error. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
};

export type Receiver = {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  readonly calls: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** All that came, as text: for what must not be in it. */
  text(): string;
  close(): Promise<void>;
};

export async function startReceiver(): Promise<Receiver> {
  const spans: ReceivedSpan[] = [];
  const calls: { path: string; headers: IncomingHttpHeaders }[] = [];
  const bodies: Buffer[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', chunk => chunks.push(chunk));
    req.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = req.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      calls.push({ path: req.url!, headers: req.headers });
      bodies.push(body);
      spans.push(...spansIn(body));
      res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    calls,
    text: () => Buffer.concat(bodies).toString('latin1'),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Values of each field of a message: numbers as bigint, everything else as bytes. */
type Fields = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

function fieldsOf(bytes: Buffer): Fields {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const type = tag & 7;
    const value = type === 0 ? varint() : type === 1 ? take(8) : type === 5 ? take(4) : take(Number(varint()));
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Fields, number: number): Fields[] => (fields.get(number) ?? []).map(value => fieldsOf(value as Buffer));
const bytesOf = (fields: Fields, number: number): Buffer => (fields.get(number)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
const textOf = (fields: Fields, number: number): string => bytesOf(fields, number).toString();
const numberOf = (fields: Fields, number: number): bigint => (fields.get(number)?.[0] as bigint | undefined) ?? 0n;

const spansIn = (body: Buffer): ReceivedSpan[] =>
  messages(fieldsOf(body), 1).flatMap(resourceSpans => {
    const resource = attributesOf(messages(resourceSpans, 1)[0]!, 1);
    return messages(resourceSpans, 2).flatMap(scopeSpans => messages(scopeSpans, 2).map(span => spanOf(span, resource)));
  });

const spanOf = (span: Fields, resource: ReceivedSpan['resource']): ReceivedSpan => ({
  traceId: bytesOf(span, 1).toString('hex'),
  spanId: bytesOf(span, 2).toString('hex'),
  parentSpanId: bytesOf(span, 4).toString('hex'),
  name: textOf(span, 5),
  kind: Number(numberOf(span, 6)),
  start: bytesOf(span, 7).readBigUInt64LE(),
  end: bytesOf(span, 8).readBigUInt64LE(),
  attributes: attributesOf(span, 9),
  status: Number(numberOf(messages(span, 15)[0] ?? new Map(), 3)),
  resource,
});

const attributesOf = (fields: Fields, number: number): Record<string, unknown> =>
  Object.fromEntries(messages(fields, number).map(pair => [textOf(pair, 1), anyValue(messages(pair, 2)[0]!)]));

function anyValue(value: Fields): unknown {
  if (value.has(2)) return numberOf(value, 2) === 1n;
  if (value.has(3)) return Number(BigInt.asIntN(64, numberOf(value, 3)));
  return value.has(4) ? bytesOf(value, 4).readDoubleLE() : textOf(value, 1);
}
