// What reached the simulator and what it did about it: the requests, bounded in number and in bytes, and the bill.

export type Outcome = 'open' | 'done' | 'aborted' | 'fault';

export type RecordedRequest = {
  readonly seq: number;
  readonly method: string;
  readonly path: string;
  readonly wire?: string | undefined;
  /** Credentials are masked. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  readonly model?: string | undefined;
  readonly fault?: string | undefined;
  readonly status?: number | undefined;
  /** Content frames written, and the tokens in them. */
  readonly chunks: number;
  readonly tokens: number;
  /** Tokens of the prompt, as they are billed when the answer is over. */
  readonly promptTokens: number;
  /** The client went away before the answer was complete. */
  readonly aborted: boolean;
  readonly outcome: Outcome;
  /** Epoch milliseconds: when its headers had come, and when its answer was over or the client gone. */
  readonly at: number;
  readonly endedAt?: number | undefined;
  readonly body: unknown;
};

/** One request while it is answered. */
export type Entry = { -readonly [field in keyof Omit<RecordedRequest, 'body'>]: RecordedRequest[field] } & { raw: string };

/** A request as it arrives. */
export const entryOf = (
  seq: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Entry => ({
  seq,
  method,
  path,
  headers: masked(headers),
  bodyBytes: 0,
  chunks: 0,
  tokens: 0,
  promptTokens: 0,
  aborted: false,
  outcome: 'open',
  at: Date.now(),
  raw: '',
});

const maxRequests = 4000;
const maxBytes = 64 * 1024 * 1024;

export class Requests {
  count = 0;
  readonly #entries: Entry[] = [];
  #bytes = 0;

  open(method: string, path: string, headers: Readonly<Record<string, string | string[] | undefined>>): Entry {
    this.count += 1;
    const entry = entryOf(this.count, method, path, headers);
    this.#entries.push(entry);
    this.#trim();
    return entry;
  }

  body(entry: Entry, raw: string): void {
    entry.bodyBytes = Buffer.byteLength(raw);
    entry.raw = raw;
    this.#bytes += raw.length;
    this.#trim();
  }

  /** Oldest first. */
  list(): RecordedRequest[] {
    return this.#entries.map(({ raw, ...entry }) => ({ ...entry, body: parsed(raw) }));
  }

  clear(): void {
    this.count = 0;
    this.#bytes = 0;
    this.#entries.length = 0;
  }

  #trim(): void {
    while (this.#entries.length > maxRequests || (this.#bytes > maxBytes && this.#entries.length > 1))
      this.#bytes -= this.#entries.shift()!.raw.length;
  }
}

const secret = /^(authorization|x-api-key|api-key|x-goog-api-key|x-amz-security-token|cookie)$/;

/** The last four characters stay, so that a test can tell which key was used. */
function masked(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]): [string, string] => {
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '');
    return [name, secret.test(name) ? text.replace(/\S+$/, key => `***${key.slice(-4)}`) : text];
  });
  return Object.fromEntries(entries);
}

function parsed(raw: string): unknown {
  try {
    return raw === '' ? null : JSON.parse(raw);
  } catch {
    return raw;
  }
}

/** What a provider would charge for: prompts that were taken in and tokens that were generated, also for clients that went away. */
export type Bill = {
  requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  aborted: number;
  /** Of the web, where there were any. */
  searches?: number;
  /** Of these tokens, those that were served otherwise than by the standard, by its name. */
  levels?: Record<string, { prompt_tokens: number; completion_tokens: number }>;
};

const maxModels = 1000;

export class Bills {
  readonly #models = new Map<string, Bill>();

  of(model: string): Bill {
    const known = this.#models.get(model);
    if (known) return known;
    const name = this.#models.size < maxModels ? model : 'others';
    const bill = this.#models.get(name) ?? { requests: 0, prompt_tokens: 0, cached_tokens: 0, completion_tokens: 0, aborted: 0 };
    this.#models.set(name, bill);
    return bill;
  }

  all(): Record<string, Bill> {
    return Object.fromEntries(this.#models);
  }

  clear(): void {
    this.#models.clear();
  }
}
