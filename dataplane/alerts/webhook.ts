// The webhook of warnings: one message at a time from a bounded queue, a few tries each. The body is what Slack's incoming webhooks
// take; its `metadata` (docs.slack.dev, IncomingWebhookSendArguments) carries the same event for programs. The URL is a secret.
import type { Alert } from '#core/admission/alerts.ts';
import type { HttpClient } from '#platform/http-client.ts';

/** `retry`: the other side may take it later; `no`: it never will. */
type Answer =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry' | 'no'; readonly reason: string; readonly after?: number };

export type WebhookOutcome = 'delivered' | 'failed' | 'dropped';

export type WebhookOptions = {
  readonly url: string;
  readonly http: HttpClient;
  readonly log: { warn(fields: object, message: string): void };
  readonly count: (outcome: WebhookOutcome) => void;
  /** For tests: how long a try may take, and how long the first pause is. */
  readonly timeoutMs?: number;
  readonly backoffMs?: number;
};

const TIMEOUT_MS = 3_000;
const TRIES = 4;
const BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
const MAX_QUEUE = 100;
/** Slack cuts longer ones at 40,000 characters. */
const MAX_TEXT = 3_000;

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #url: URL;
  readonly #queue: Alert[] = [];
  #running = false;
  #closed = false;
  #pause: { timer: NodeJS.Timeout; end: () => void } | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
  }

  /** Takes the place of the oldest where too many wait. */
  deliver(alert: Alert): void {
    if (this.#closed) return;
    if (this.#queue.length >= MAX_QUEUE) {
      this.#queue.shift();
      this.#options.count('dropped');
    }
    this.#queue.push(alert);
    if (!this.#running) void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    clearTimeout(this.#pause?.timer);
    this.#pause?.end();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let alert = this.#queue.shift(); alert; alert = this.#queue.shift()) await this.#tryAll(alert);
    this.#running = false;
  }

  async #tryAll(alert: Alert): Promise<void> {
    const { log, count, backoffMs = BACKOFF_MS } = this.#options;
    const body = JSON.stringify(messageOf(alert));
    for (let tried = 1; ; tried++) {
      const answer = await this.#send(body);
      if (answer.kind === 'delivered') return count('delivered');
      if (answer.kind === 'no' || tried >= TRIES || this.#closed) {
        count('failed');
        log.warn({ host: this.#url.host, reason: answer.reason, tries: tried }, 'the webhook of warnings did not take one');
        return;
      }
      await this.#wait(Math.min(MAX_BACKOFF_MS, answer.after ?? backoffMs * 4 ** (tried - 1)));
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      this.#pause = { timer, end: resolve };
    });
  }

  #send(body: string): Promise<Answer> {
    const { http, timeoutMs = TIMEOUT_MS } = this.#options;
    const { origin, pathname, search } = this.#url;
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', origin, path: pathname + search, headers, body, connectTimeoutMs: timeoutMs };
    return new Promise(resolve => {
      const timer = setTimeout(() => settle({ kind: 'retry', reason: `no answer in ${timeoutMs} ms` }), timeoutMs);
      const settle = (answer: Answer) => {
        clearTimeout(timer);
        // What it says is of no use, and may have no end.
        control.abort();
        resolve(answer);
      };
      const control = http.send(request, {
        onHead: (status, responseHeaders) => settle(judge(status, responseHeaders['retry-after'])),
        onData() {},
        onEnd() {},
        onError: ({ kind, code }) => settle({ kind: kind === 'forbidden-address' ? 'no' : 'retry', reason: code }),
      });
    });
  }
}

/** A redirect is not followed: it would carry the warning to a place nobody configured. */
function judge(status: number, retryAfter: string | string[] | undefined): Answer {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const reason = `status ${status}`;
  if (status !== 429 && status < 500) return { kind: 'no', reason };
  const seconds = Number(retryAfter);
  return { kind: 'retry', reason, ...(seconds > 0 && { after: seconds * 1000 }) };
}

type Message = {
  readonly text: string;
  readonly metadata: { readonly event_type: string; readonly event_payload: Alert['fields'] };
};

export const messageOf = ({ kind, text, fields }: Alert): Message => ({
  text: escaped(text.slice(0, MAX_TEXT)),
  metadata: { event_type: `tollgate_${kind}`, event_payload: fields },
});

/** The three characters with a meaning in Slack's text (docs.slack.dev, "Formatting message text"): a name cannot call a channel. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
