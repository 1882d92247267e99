// Reads a streamed answer of the gateway piece by piece, as it arrives, and says how it ended.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:http';
import { clientKey } from './resources.ts';

export type OpenStream = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Everything that has arrived so far. */
  text(): string;
  /** Resolves once the text so far fits; rejects at the end of the stream if it never did. */
  waitFor(pattern: RegExp): Promise<string>;
  /** The whole text, and whether the body ended as HTTP says it should. */
  readonly ended: Promise<{ readonly text: string; readonly cleanly: boolean }>;
  abort(): void;
};

/** A connection of its own for each stream, so that aborting one says nothing to another. */
export function openStream(url: string, body: unknown, headers: Record<string, string> = {}): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const sent = request(url, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, ...headers },
    });
    sent.on('response', response => resolve(streamOf(response, () => sent.destroy())));
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

function streamOf(response: IncomingMessage, abort: () => void): OpenStream {
  let text = '';
  let over = false;
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const watcher of watchers) watcher();
  };
  response.setEncoding('utf8');
  response.on('data', (piece: string) => {
    text += piece;
    wake();
  });
  response.on('error', () => {});
  const ended = new Promise<{ text: string; cleanly: boolean }>(resolve => {
    response.on('close', () => {
      over = true;
      wake();
      resolve({ text, cleanly: response.complete });
    });
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: () => text,
    ended,
    abort,
    waitFor: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(text) && !over) return;
          watchers.delete(look);
          if (pattern.test(text)) resolve(text);
          else reject(new Error(`the stream ended without ${pattern}: ${text.slice(-500)}`));
        };
        watchers.add(look);
        look();
      }),
  };
}
