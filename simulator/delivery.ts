// Carries out steps on a connection: paced, under the client's backpressure, and noticing at once when the client goes away.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { constants, gzipSync } from 'node:zlib';
import type { Entry } from './record.ts';
import type { Step } from './steps.ts';

export type Head = { readonly status: number; readonly headers: Readonly<Record<string, string>> };

/** How bytes leave, where a fault wants it otherwise. */
export type Manner = {
  /** Each byte is a write of its own. */
  readonly split?: boolean;
  readonly gzip?: boolean;
  /** The declared content-length is off by so many bytes. */
  readonly lengthOff?: number;
};

export async function deliver(
  response: ServerResponse,
  head: Head,
  steps: Iterable<Step>,
  manner: Manner,
  entry: Entry,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => {
    entry.endedAt ??= Date.now();
    if (response.writableFinished) return;
    if (entry.outcome === 'open') Object.assign(entry, { aborted: true, outcome: 'aborted' });
    gone.abort();
  });
  entry.status = head.status;
  try {
    if (manner.gzip || manner.lengthOff !== undefined) sendWhole(response, head, steps, manner, entry);
    else await sendSteps(response, head, steps, manner, entry, gone.signal);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

async function sendSteps(
  response: ServerResponse,
  head: Head,
  steps: Iterable<Step>,
  manner: Manner,
  entry: Entry,
  gone: AbortSignal,
): Promise<void> {
  let due = performance.now();
  const writeHead = () => response.headersSent || response.writeHead(head.status, head.headers);
  for (const step of steps) {
    if (gone.aborted) return;
    switch (step.do) {
      case 'wait': {
        due = Math.max(due, performance.now() - 1000) + step.ms;
        const left = due - performance.now();
        if (left > 0) await setTimeout(left, undefined, { signal: gone });
        break;
      }
      case 'until':
        await step.ready(gone);
        break;
      case 'instead': {
        const { status, body } = step.refusal;
        response.writeHead(status, { ...head.headers, 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
        Object.assign(entry, { status, outcome: 'done' });
        return;
      }
      case 'head':
        writeHead();
        response.flushHeaders();
        break;
      case 'write': {
        writeHead();
        count(entry, step);
        const flows = manner.split ? await writeBytes(response, step.text, gone) : response.write(step.text);
        if (!flows) await drained(response, gone);
        break;
      }
      case 'stall':
        await once(gone, 'abort');
        return;
      case 'cut':
      case 'reset':
        entry.outcome = 'fault';
        return await breakOff(response, step.do);
      case 'end':
        entry.outcome = 'fault';
        writeHead();
        response.end();
        return;
    }
  }
  writeHead();
  // Who has the last byte may ask again before this end hears that the connection is free.
  entry.endedAt = Date.now();
  response.end();
  if (entry.outcome === 'open') entry.outcome = 'done';
}

function count(entry: Entry, step: Extract<Step, { do: 'write' }>): void {
  if (step.kind === 'content' || step.kind === 'body') entry.chunks += 1;
  entry.tokens += step.tokens;
}

async function writeBytes(response: ServerResponse, text: string | Buffer, gone: AbortSignal): Promise<boolean> {
  for (const byte of bytesOf(text)) {
    if (gone.aborted) return true;
    response.write(Buffer.of(byte));
    await setImmediate();
  }
  return !response.writableNeedDrain;
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      response.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    gone.addEventListener('abort', done);
  });
}

/** What was written before reaches the client first; then the connection goes, with RST or with FIN in the middle of the body. */
async function breakOff(response: ServerResponse, how: 'cut' | 'reset'): Promise<void> {
  // Node gathers the writes of one turn: let them go.
  await setImmediate();
  if (how === 'reset') response.socket?.resetAndDestroy();
  else response.socket?.destroySoon();
}

function sendWhole(response: ServerResponse, head: Head, steps: Iterable<Step>, manner: Manner, entry: Entry): void {
  const texts: Buffer[] = [];
  for (const step of steps) {
    if (step.do !== 'write') continue;
    count(entry, step);
    texts.push(bytesOf(step.text));
  }
  const plain = Buffer.concat(texts);
  const body = manner.gzip ? gzipSync(plain, { level: constants.Z_BEST_SPEED }) : plain;
  response.writeHead(head.status, {
    ...head.headers,
    ...(manner.gzip && { 'content-encoding': 'gzip' }),
    'content-length': String(body.length + (manner.lengthOff ?? 0)),
  });
  entry.outcome = manner.lengthOff ? 'fault' : 'done';
  if (!manner.lengthOff || manner.lengthOff < 0) response.end(body);
  else response.write(body, () => response.socket?.destroySoon());
}

const bytesOf = (text: string | Buffer): Buffer => (typeof text === 'string' ? Buffer.from(text) : text);
