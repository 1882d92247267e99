// One look at an endpoint over HTTP: at its metrics, its health or its models. Nothing is decided here; each look ends with one probe,
// or with none where it shows nothing.
import { MetricScanner, type ScanTable } from '#core/engines/scan.ts';
import type { Probe, ServedModel } from '#core/engines/state.ts';
import { collector } from '#platform/body.ts';
import type { HttpClient, HttpError } from '#platform/http-client.ts';

/** Where to look, and until when to wait. */
export type Look = {
  readonly http: HttpClient;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
};

/** Fifty times a large scrape. */
const MAX_METRICS_BYTES = 4 * 1024 * 1024;
const MAX_MODELS_BYTES = 1024 * 1024;

type Ended = { readonly kind: 'answered'; readonly status: number } | { readonly kind: 'missed' } | { readonly kind: 'refused' };

/** Called once. */
export type Done = (probe: Probe | undefined) => void;

export function lookAtMetrics(look: Look, table: ScanTable, done: (probe: Probe) => void): void {
  const scanner = new MetricScanner(table);
  let bytes = 0;
  get(look, {
    // Not the format of OpenMetrics, which some offer as well.
    accept: 'text/plain; version=0.0.4',
    take(chunk) {
      scanner.push(chunk);
      bytes += chunk.length;
      return bytes <= MAX_METRICS_BYTES;
    },
    end(ended) {
      if (ended.kind !== 'answered') done(ended);
      else if (ended.status >= 500) done({ kind: 'missed' });
      else done(ended.status === 200 ? { kind: 'read', reading: scanner.reading() } : { kind: 'unreadable' });
    },
  });
}

/** An endpoint that has no such page, or shows it to others only, says nothing about its health. */
export function lookAtHealth(look: Look, done: Done): void {
  get(look, {
    accept: '*/*',
    take: () => true,
    end(ended) {
      if (ended.kind === 'answered') done({ kind: 'health', isWell: isWell(ended.status) });
      else done(ended.kind === 'refused' ? ended : undefined);
    },
  });
}

const isWell = (status: number): boolean => (status >= 200 && status < 300) || (status >= 400 && status < 500);

export function lookAtModels(look: Look, done: Done): void {
  const body = collector(MAX_MODELS_BYTES);
  get(look, {
    accept: 'application/json',
    take: chunk => body.add(chunk),
    end(ended) {
      // What cannot be had now is taken to be as it was.
      if (ended.kind !== 'answered' || ended.status >= 500) done(undefined);
      else done({ kind: 'models', models: ended.status === 200 ? modelsIn(body.all().toString()) : undefined });
    },
  });
}

/** OpenAI's list of models, as vLLM has it: an adapter names its `parent`. */
function modelsIn(text: string): readonly ServedModel[] | undefined {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    if (!Array.isArray(data)) return undefined;
    return data.flatMap(({ id, parent }: { id?: unknown; parent?: unknown }) =>
      typeof id === 'string' ? [{ name: id, isAdapter: typeof parent === 'string' }] : [],
    );
  } catch {
    return undefined;
  }
}

type Answer = {
  readonly accept: string;
  /** false: that is enough, and more than was asked for. */
  take(chunk: Buffer): boolean;
  /** Once. */
  end(ended: Ended): void;
};

function get({ http, origin, path, headers, timeoutMs }: Look, { accept, take, end }: Answer): void {
  let status = 0;
  let isOver = false;
  const over = (ended: Ended) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    end(ended);
  };
  const giveUp = () => {
    control.abort();
    over({ kind: 'missed' });
  };
  const timer = setTimeout(giveUp, timeoutMs);
  timer.unref();
  const request = {
    method: 'GET',
    origin,
    path,
    headers: { ...headers, accept, 'accept-encoding': 'identity' },
    body: null,
    connectTimeoutMs: timeoutMs,
  };
  const control = http.send(request, {
    onHead(code) {
      status = code;
    },
    onData: chunk => (isOver || take(chunk) ? undefined : giveUp()),
    onEnd: () => over({ kind: 'answered', status }),
    onError: error => over({ kind: isRefusal(error) ? 'refused' : 'missed' }),
  });
}

/** Nobody listens, there is no such host, or it may not be connected to. */
const isRefusal = ({ kind, code }: HttpError): boolean =>
  kind === 'forbidden-address' || (kind === 'connect' && code !== 'EAI_AGAIN' && code !== 'ETIMEDOUT');
