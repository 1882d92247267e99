// The replica behind HTTP: answers the paths of a vLLM server, lets streams flow as fast as their tokens are made, and does what the
// control endpoint says. Holds the only clock and the only timer of the engine.
import type { Answer, Ask } from '../answer.ts';
import { generatedTokens } from '../answer.ts';
import type { Engine } from '../server.ts';
import type { Json } from '../shape.ts';
import { type Step, sse, write } from '../steps.ts';
import { promptTotal } from '../tokens.ts';
import { vllmError, vllmTrouble } from '../wires/vllm-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { expositionOf, type Override, patternValue } from './exposition.ts';
import { type EngineNames, engineNames, type Family } from './metric-names.ts';
import { blockHashes } from './prompt.ts';
import { type Job, Replica, type ReplicaSettings } from './replica.ts';

export type HostSettings = ReplicaSettings & {
  /** What it serves. */
  readonly model: string;
  /** LoRA adapters, each a model of its own to clients. */
  readonly adapters: readonly string[];
  readonly names: EngineNames;
};

/** What the metrics say instead of the truth, and how they are served. */
export type Scrape = {
  readonly overrides: Readonly<Record<string, Override>>;
  /** Milliseconds before `/metrics` answers. */
  readonly delay: number;
  readonly status: number;
};

const truthful: Scrape = { overrides: {}, delay: 0, status: 200 };

export class EngineHost implements Engine {
  readonly settings: HostSettings;
  readonly replica: Replica;
  readonly #background = new Set<Job>();
  #scrape = truthful;
  #scrapeSetAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: HostSettings) {
    this.settings = settings;
    this.replica = new Replica(settings, now());
  }

  plain(method: string, path: string): { refusal: Refusal; after: number } | undefined {
    const answer = this.#plainAnswer(method, path);
    return answer && { refusal: answer, after: metricsPaths.has(path) ? this.#scrape.delay : 0 };
  }

  roomFor(ask: Ask): number {
    return Math.max(1, this.settings.maxModelLen - promptTotal(ask.usage));
  }

  generate(ask: Ask, body: unknown, answers: readonly Answer[]): ReturnType<Engine['generate']> {
    const { model, adapters, maxModelLen, blockSize } = this.settings;
    if (ask.model !== model && !adapters.includes(ask.model)) return { refusal: unknownModel(ask.model, [model, ...adapters]) };
    const promptTokens = Math.max(1, promptTotal(ask.usage));
    const asked = ask.maxTokens ?? 1;
    if (promptTokens + asked > maxModelLen) return { refusal: tooLong(promptTokens, asked, maxModelLen) };
    const submission = this.replica.submit(
      {
        promptTokens,
        outputTokens: Math.max(
          1,
          answers.reduce((sum, answer) => sum + generatedTokens(answer), 0),
        ),
        finish: answers.some(({ finish }) => finish === 'length') ? 'length' : 'stop',
        hashes: blockHashes(body as Json, answers, blockSize),
        adapter: ask.model === model ? undefined : ask.model,
      },
      now(),
    );
    if ('refused' in submission) return { refusal: refusals[submission.refused] };
    this.#tick();
    const { job } = submission;
    return { steps: steps => pacedByTokens(job, steps, ask.stream), over: () => this.replica.abort(job) };
  }

  /** Work that no client asked for: sequences with prompts of their own. Returns how many were taken in. */
  occupy(count: number, promptTokens: number, outputTokens: number): number {
    let taken = 0;
    for (let at = 0; at < count; at++) {
      const submission = this.replica.submit({ promptTokens, outputTokens, finish: 'length', hashes: [] }, now());
      if ('refused' in submission) break;
      taken += 1;
      this.#background.add(submission.job);
    }
    this.#tick();
    return taken;
  }

  /** The opposite of `occupy`. */
  vacate(): void {
    for (const job of this.#background) this.replica.abort(job);
    this.#background.clear();
  }

  /** Does something to the replica now, and goes on from there. */
  change(act: (replica: Replica, now: number) => void): void {
    this.replica.advance(now());
    act(this.replica, now());
    this.#tick();
  }

  setScrape(scrape: Partial<Scrape>): void {
    this.#scrape = { ...truthful, ...scrape };
    this.#scrapeSetAt = now();
  }

  get scrape(): Scrape {
    return this.#scrape;
  }

  families(): readonly Family[] {
    const { model, adapters, names } = this.settings;
    this.replica.advance(now());
    return engineNames[names]({ reading: this.replica.reading(now()), model, adapters });
  }

  metrics(): string {
    const elapsed = now() - this.#scrapeSetAt;
    return expositionOf(this.families(), name => {
      const override = this.#scrape.overrides[name];
      if (override === 'NaN') return Number.NaN;
      return typeof override === 'object' ? patternValue(override, elapsed) : override;
    });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #tick(): void {
    clearTimeout(this.#timer);
    const due = this.replica.advance(now());
    if (due !== undefined) this.#timer = setTimeout(() => this.#tick(), Math.max(0, Math.ceil(due - now())));
  }

  #plainAnswer(method: string, path: string): Refusal | undefined {
    this.replica.advance(now());
    const { state } = this.replica;
    if (state === 'loading') return loading;
    if (method === 'GET' && metricsPaths.has(path)) return this.#metricsAnswer();
    const reply = plainReplies[`${method} ${path}`];
    return reply?.(this);
  }

  #metricsAnswer(): Refusal {
    const { status } = this.#scrape;
    return { status, headers: { 'content-type': expositionType }, body: status === 200 ? this.metrics() : '' };
  }
}

/** Milliseconds since the epoch, in finer steps than `Date.now`. */
const now = (): number => performance.timeOrigin + performance.now();

const expositionType = 'text/plain; version=1.0.0; charset=utf-8';

/** TensorRT-LLM's server has them under the second. */
const metricsPaths: ReadonlySet<string> = new Set(['/metrics', '/prometheus/metrics']);

/** What a proxy or a kubelet sees of a server that does not listen yet. */
const loading: Refusal = { status: 503, body: { error: 'The server is starting.' } };

const empty = (status: number): Refusal => ({ status, body: '' });

const health = ({ replica }: EngineHost): Refusal => empty(replica.state === 'dead' || replica.state === 'draining' ? 503 : 200);

const plainReplies: Readonly<Record<string, (host: EngineHost) => Refusal>> = {
  'GET /health': health,
  'GET /ping': health,
  'POST /ping': health,
  'GET /v1/models': ({ settings }) => ({ status: 200, body: modelList(settings) }),
  // As with VLLM_SERVER_DEV_MODE=1.
  'GET /is_sleeping': ({ replica }) => ({ status: 200, body: { is_sleeping: replica.state === 'sleeping' } }),
  'POST /sleep': host => {
    host.change((replica, at) => replica.enter('sleeping', at));
    return empty(200);
  },
  'POST /wake_up': host => {
    host.change((replica, at) => replica.enter('serving', at));
    return empty(200);
  },
};

const modelList = ({ model, adapters, maxModelLen }: HostSettings): unknown => ({
  object: 'list',
  data: [modelCard(model, null, maxModelLen), ...adapters.map(adapter => modelCard(adapter, model, null))],
});

const modelCard = (id: string, parent: string | null, maxModelLen: number | null): unknown => ({
  id,
  object: 'model',
  created: Math.floor(Date.now() / 1000),
  owned_by: 'vllm',
  root: `./${id}`,
  parent,
  max_model_len: maxModelLen,
  permission: [],
});

const unknownModel = (model: string, served: readonly string[]): Refusal =>
  vllmError(404, `The model \`${model}\` does not exist. Valid aliases: ${served.join(', ')}.`, 'NotFoundError', 'model');

const tooLong = (prompt: number, output: number, most: number): Refusal =>
  vllmError(
    400,
    `This model's maximum context length is ${most} tokens. However, you requested ${output} output tokens and your prompt contains at least ${prompt} input tokens, for a total of at least ${prompt + output} tokens. Please reduce the length of the input prompt or the number of requested output tokens. (parameter=input_tokens, value=${prompt})`,
    'BadRequestError',
    'input_tokens',
  );

const refusals = {
  busy: vllmTrouble('unavailable', ''),
  loading,
  dead: vllmTrouble('server-error', ''),
  draining: vllmError(503, 'The server is shutting down.', 'Service Unavailable'),
} as const satisfies Record<string, Refusal>;

/** vLLM sends the headers of a stream when it has taken the request in, and the first chunk with the first token. */
function* pacedByTokens(job: Job, steps: Iterable<Step>, stream: boolean): Iterable<Step> {
  if (stream) yield { do: 'head' };
  let needed = 0;
  for (const step of steps) {
    if (step.do === 'write') needed += step.tokens;
    const tokens = Math.min(Math.max(1, needed), job.sequence.outputTokens);
    if (job.sequence.generated < tokens) yield { do: 'until', ready: gone => reached(job, tokens, gone) };
    if (job.failure === undefined) yield step;
    else return yield* brokenOff(job.failure, stream);
  }
}

function reached(job: Job, tokens: number, gone: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (job.sequence.generated < tokens && job.failure === undefined && !gone.aborted) return;
      job.onChange = () => {};
      gone.removeEventListener('abort', look);
      resolve();
    };
    job.onChange = look;
    gone.addEventListener('abort', look);
    look();
  });
}

function* brokenOff(failure: NonNullable<Job['failure']>, stream: boolean): Iterable<Step> {
  if (failure === 'process') return yield { do: 'reset' };
  if (!stream) return yield { do: 'instead', refusal: refusals.dead };
  yield write('noise', sse({ kind: 'content', tokens: 0, data: JSON.stringify(refusals.dead.body) }));
  yield write('end', sse({ kind: 'end', tokens: 0, data: '[DONE]' }));
  yield { do: 'end' };
}
