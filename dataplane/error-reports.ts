// Bugs of the gateway, told to Sentry where SENTRY_DSN is set. Loaded only then. No failure of a provider or a client is a bug, and nothing of a
// request goes along but its id: no headers, no body, no breadcrumbs, and no text that a message may have quoted from one.
import { createStackParser, createTransport, type Event, type StackFrame } from '@sentry/core';
import { nodeStackLineParser, ServerRuntimeClient } from '@sentry/core/server';
import { VERSION } from './head.ts';

export type ErrorReports = {
  report(error: unknown, requestId?: string): void;
  /** Waits for what is on its way, and no longer than this. */
  close(ms: number): Promise<void>;
};

const MAX_WAITING = 30;

export function errorReports(dsn: string, environment: string | undefined): ErrorReports {
  const client = new ServerRuntimeClient({
    dsn,
    integrations: [],
    stackParser: createStackParser(nodeStackLineParser()),
    transport: options =>
      createTransport({ ...options, bufferSize: MAX_WAITING }, async ({ body }) => {
        const { url, headers = {} } = options;
        const answer = await fetch(url, { method: 'POST', headers, body: body as string, signal: AbortSignal.timeout(10_000) });
        await answer.arrayBuffer();
        const header = (name: string) => answer.headers.get(name);
        return {
          statusCode: answer.status,
          headers: { 'x-sentry-rate-limits': header('x-sentry-rate-limits'), 'retry-after': header('retry-after') },
        };
      }),
    platform: 'node',
    runtime: { name: 'node', version: process.version },
    release: `tollgate@${VERSION}`,
    ...(environment && { environment }),
    beforeSend: scrubbed,
  });
  client.init();
  return {
    report(error, requestId) {
      const tags = requestId === undefined ? {} : { request_id: requestId };
      client.captureException(error, { captureContext: { tags } });
    },
    close: async ms => void (await client.close(ms)),
  };
}

/** What of an event may leave: the kind of error, where in our code it was, and its message without what it quotes. */
export function scrubbed<E extends Event>(event: E): E {
  const { exception, tags, event_id, timestamp, platform, level, release, environment, sdk, type } = event;
  const values = exception?.values?.map(({ type, value, stacktrace, mechanism }) => ({
    ...(type !== undefined && { type }),
    ...(value !== undefined && { value: withoutQuotes(value) }),
    ...(mechanism && { mechanism: { type: mechanism.type, handled: mechanism.handled ?? true } }),
    ...(stacktrace?.frames && { stacktrace: { frames: stacktrace.frames.map(bareFrame) } }),
  }));
  const kept = {
    event_id,
    timestamp,
    platform,
    level,
    release,
    environment,
    sdk,
    tags,
    type,
    ...(values && { exception: { values } }),
  };
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)) as unknown as E;
}

/** No variables, no lines of source. */
const bareFrame = ({ filename, function: name, lineno, colno, in_app, module }: StackFrame): StackFrame => ({
  ...(filename !== undefined && { filename }),
  ...(name !== undefined && { function: name }),
  ...(lineno !== undefined && { lineno }),
  ...(colno !== undefined && { colno }),
  ...(in_app !== undefined && { in_app }),
  ...(module !== undefined && { module }),
});

const MAX_MESSAGE = 200;
const QUOTED = /(["'`])([\s\S]*?)(?:\1|$)/g;
/** What programs put in single quotes. */
const NAME = /^[\w$.-]{1,40}$/;
const SECRET = /\b[\w-]*\d[\w-]{15,}\b|\b\w+:\/\/\S+/g;

export const withoutQuotes = (message: string): string =>
  message
    .replace(QUOTED, (whole, quote: string, text: string) => (quote !== '"' && NAME.test(text) ? whole : `${quote}…${quote}`))
    .replace(SECRET, '…')
    .slice(0, MAX_MESSAGE);
