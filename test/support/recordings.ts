// The recordings beside the project: what real providers were asked, and what they answered. Where they are not there is none, and tests skip.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

const root = path.join(import.meta.dirname, '../../../shared/recordings');

/** For the `skip` of a test: why there are none, or false. */
export const withoutRecordings: string | false = !existsSync(root) && 'the recordings (../shared/recordings) are not here';

/** Paths below the folder of recordings. */
export const files = (pattern: string): string[] => (withoutRecordings ? [] : globSync(pattern, { cwd: root }).sort());
export const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

type Json = Record<string, unknown>;

export const repliesIn = (pattern: string): { readonly name: string; readonly body: Json }[] =>
  files(pattern).map(name => ({ name, body: JSON.parse(textOf(name)) as Json }));

/** The AI SDK kept the payloads of a stream and not their frames: `*.chunks.txt` has one a line. */
export const payloadsIn = (file: string): string[] =>
  textOf(file)
    .split('\n')
    .filter(line => line.trim() !== '');

/** A payload in the frame that its provider sends. */
export const asData = (payload: string): string => `data: ${payload}\n\n`;
export const asEvent = (payload: string): string =>
  `event: ${(JSON.parse(payload) as { type: string }).type}\n${asData(payload)}`;
export const asGoogleData = (payload: string): string => `data: ${payload}\r\n\r\n`;

export type RecordedText = { readonly name: string; readonly body: string };

/** @param end what stands behind the last payload */
export const streamsIn = (pattern: string, frame: (payload: string) => string, end = ''): RecordedText[] =>
  files(pattern).map(name => ({ name, body: payloadsIn(name).map(frame).join('') + end }));

/** What pydantic-ai recorded of one call. */
export type Exchange = {
  /** Its file, and which one of it. */
  readonly name: string;
  readonly uri: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly asked: Json | undefined;
  /** The answer: an object, a text, or bytes. */
  readonly json: Json | undefined;
  readonly text: string | undefined;
  readonly bytes: Buffer | undefined;
};

type Interaction = {
  readonly request?: { readonly uri?: string; readonly body?: unknown; readonly parsed_body?: Json };
  readonly response: {
    readonly status: { readonly code: number };
    readonly headers?: Readonly<Record<string, readonly string[]>>;
    readonly body?: { readonly string?: unknown };
    readonly parsed_body?: Json;
  };
};

export const exchangesIn = (pattern: string): Exchange[] =>
  files(pattern).flatMap(file => {
    const { interactions = [] } = parse(textOf(file)) as { interactions?: Interaction[] };
    // The gRPC cassettes of xAI have no request of this form.
    return interactions.flatMap((one, i) => (one.request?.uri ? [exchangeOf(`${file} #${i}`, one.request.uri, one)] : []));
  });

function exchangeOf(name: string, uri: string, { request, response }: Interaction): Exchange {
  const said = response.body?.string;
  return {
    name,
    uri,
    status: response.status.code,
    headers: response.headers ?? {},
    asked: request?.parsed_body ?? (typeof request?.body === 'string' ? jsonIn(request.body) : undefined),
    json: response.parsed_body,
    text: typeof said === 'string' ? said : undefined,
    bytes: said instanceof Uint8Array ? Buffer.from(said) : undefined,
  };
}

function jsonIn(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** An answer that was kept as it came over the wire, head and all. */
export type RawAnswer = RecordedText & { readonly status: number; readonly contentType: string };

export const rawAnswersIn = (pattern: string): RawAnswer[] =>
  files(pattern).map(name => {
    const [head = '', ...rest] = textOf(name).split('\r\n\r\n');
    return {
      name,
      status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
      contentType: /^content-type: (.*)$/im.exec(head)?.[1] ?? '',
      body: rest.join('\r\n\r\n'),
    };
  });

/** The two ends of a long stream, where all that is not plain content stands. */
export function shortened(body: string, frames = 24): string {
  const all = body.split(/(?<=\n\r?\n)/);
  return all.length <= frames ? body : [...all.slice(0, frames / 2), ...all.slice(-frames / 2)].join('');
}
