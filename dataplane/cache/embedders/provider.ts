// Vectors from a provider that speaks OpenAI's `/v1/embeddings` (vLLM, TEI and Ollama do): what is asked for at one moment goes in one
// request, what was asked for lately is remembered, and each request is a row of the gateway's own. A provider that is slow or away has no
// vectors: the cache misses then, and nobody waits.
import { type CostRecord, written } from '#core/accounting/cost-record.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import { modelOf } from '#core/plan/backends.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { ModelAt, ModelEntry, ProviderEntry } from '#core/snapshot/snapshot.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import { type Asked, askOnce } from '#platform/http-ask.ts';
import type { LiveConfig, LiveKey } from '../../config/live.ts';
import type { Ports } from '../../ports.ts';
import { wireFor } from '../../providers/index.ts';
import type { Provider } from '../../providers/provider.ts';
import { openRow, settled } from '../../settle.ts';
import { type Embedder, normalised } from './embedder.ts';

export type ProviderEmbedderPorts = Pick<
  Ports,
  | 'config'
  | 'http'
  | 'costLog'
  | 'observer'
  | 'health'
  | 'gate'
  | 'engines'
  | 'now'
  | 'monotonic'
  | 'random'
  | 'newRequestId'
  | 'estimateTokens'
> & { readonly key: LiveKey };

/** Nobody waits longer for a hit than this. */
const TIMEOUT_MS = 500;
/** What comes within this goes together. */
const TOGETHER_MS = 2;
const MAX_TOGETHER = 64;
/** Batches that are under way; beyond it there are no vectors. */
const MAX_BATCHES = 16;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Vectors and texts that are remembered. */
const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024;

type Waiting = {
  readonly text: string;
  readonly resolve: (vector: Float32Array) => void;
  readonly reject: (error: Error) => void;
};

/** Configurations change: who is not asked for any more goes when there are more than this. */
const MAX_EMBEDDERS = 64;

/** One for each model; undefined: it is not there, or its provider makes no embeddings. */
export function providerEmbedders(ports: ProviderEmbedderPorts): (at: ModelAt) => Embedder | undefined {
  const embedders = new Map<string, ProviderEmbedder>();
  return at => {
    const target = targetOf(ports.config.current(), at);
    if (!target) return undefined;
    const name = `${at.provider} ${at.model} ${target.model.upstreamName}`;
    let embedder = embedders.get(name);
    if (!embedder) {
      embedder = new ProviderEmbedder(at, target.model.upstreamName, ports);
      embedders.set(name, embedder);
      if (embedders.size > MAX_EMBEDDERS) embedders.delete(embedders.keys().next().value!);
    }
    return embedder;
  };
}

type Target = { readonly provider: ProviderEntry; readonly model: ModelEntry; readonly adapter: Provider };

function targetOf({ snapshot }: LiveConfig, at: ModelAt): Target | undefined {
  const provider = snapshot.providers[at.provider];
  const model = provider && modelOf(provider, at.model);
  const adapter = provider && model && wireFor('openai-chat', { provider, model });
  return provider && model && adapter?.embeddingsAddress ? { provider, model, adapter } : undefined;
}

class ProviderEmbedder implements Embedder {
  readonly id: string;
  readonly version: string;
  readonly reads = 'text';
  dimensions = 0;
  readonly #at: ModelAt;
  readonly #ports: ProviderEmbedderPorts;
  readonly #remembered = new Remembered();
  #waiting: Waiting[] = [];
  #underWay = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(at: ModelAt, upstreamName: string, ports: ProviderEmbedderPorts) {
    this.id = `${at.provider}/${at.model}`;
    this.version = upstreamName;
    this.#at = at;
    this.#ports = ports;
  }

  embed(texts: readonly string[]): Promise<readonly Float32Array[]> {
    return Promise.all(texts.map(text => this.#remembered.get(text) ?? this.#ask(text)));
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting) reject(new Error('closed'));
    this.#waiting = [];
  }

  #ask(text: string): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve, reject });
      if (this.#waiting.length >= MAX_TOGETHER) this.#go();
      else this.#timer ??= setTimeout(() => this.#go(), TOGETHER_MS);
    });
  }

  #go(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const texts = [...new Set(batch.map(({ text }) => text))];
    const vectors = this.#underWay < MAX_BATCHES ? this.#vectorsOf(texts) : Promise.resolve(undefined);
    void vectors.then(made => {
      if (made) for (const [at, text] of texts.entries()) this.#remembered.add(text, made[at]!);
      for (const { text, resolve, reject } of batch) {
        const vector = made?.[texts.indexOf(text)];
        if (vector) resolve(vector);
        else reject(new Error('no vector'));
      }
    });
  }

  /** undefined: there are none, for whatever reason. */
  async #vectorsOf(texts: readonly string[]): Promise<readonly Float32Array[] | undefined> {
    const target = targetOf(this.#ports.config.current(), this.#at);
    if (!target) return undefined;
    const candidate: Candidate = { backend: 'embedding', ...target, priority: 0, weight: 1 };
    const { health, gate, monotonic } = this.#ports;
    if (!health.tryEnter(candidate, monotonic())) return undefined;
    this.#underWay++;
    const deadline = monotonic() + TIMEOUT_MS;
    const place = { provider: target.provider, tokens: 0, priority: this.#ports.key.entry.priority, client: nobody, deadline };
    const pass = await gate.enter(place);
    try {
      const vectors = pass.ok ? await this.#sent(target, candidate, texts, deadline) : undefined;
      if (!vectors) return undefined;
      this.dimensions = vectors[0]!.length;
      return vectors;
    } finally {
      this.#underWay--;
      if (pass.ok) pass.value.leave();
      else health.left(candidate, monotonic());
    }
  }

  async #sent(
    { provider, model, adapter }: Target,
    candidate: Candidate,
    texts: readonly string[],
    deadline: number,
  ): Promise<readonly Float32Array[] | undefined> {
    const ports = this.#ports;
    const address = this.#addressOf({ provider, model, adapter }, candidate);
    const open = this.#openRow(candidate, address.origin);
    if (!ports.costLog.record(open, written(open).json, true)) {
      ports.health.left(candidate, ports.monotonic());
      return undefined;
    }
    const startedAt = ports.monotonic();
    const observation = ports.health.began(candidate, 0, startedAt);
    const request = {
      ...address,
      method: 'POST',
      headers: { ...address.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ model: model.upstreamName, input: texts, encoding_format: 'float' }),
      connectTimeoutMs: Math.min(provider.timeouts.connect, TIMEOUT_MS),
    };
    const timeoutMs = Math.max(1, deadline - startedAt);
    const asked = await askOnce(ports.http, request, { timeoutMs, maxBytes: MAX_ANSWER_BYTES });
    const read = asked?.status === 200 ? readVectors(asked.body, texts.length) : undefined;
    const outcome = {
      asked,
      read,
      failure: read ? undefined : this.#failureOf(adapter, asked),
      ms: ports.monotonic() - startedAt,
    };
    observation.ended(outcome, ports.monotonic());
    await this.#record(open, candidate, texts, outcome);
    return read?.vectors;
  }

  #failureOf(adapter: Provider, asked: Asked | undefined): Failure {
    if (!asked) return failure('request_deadline');
    if (asked.status === 200) return failure('upstream_bad_response', { upstreamStatus: 200 });
    const { now } = this.#ports;
    return adapter.classify({ status: asked.status, headers: {}, body: asked.body.toString(), now: now() as EpochMillis });
  }

  async #record(open: CostRecord, candidate: Candidate, texts: readonly string[], outcome: Outcome): Promise<void> {
    const { asked, read, failure: reason, ms } = outcome;
    const row = settled({ candidate }, open, {
      result: {
        kind: read ? 'answered' : 'refused',
        failure: reason,
        model: read?.model,
        upstreamStatus: asked?.status ?? 0,
        upstreamId: undefined,
        firstToken: undefined,
        duration: millis(ms),
      },
      usage: read?.usage ?? (read ? await this.#estimated(texts) : noUsage),
      estimated: read !== undefined && read.usage === undefined,
      gpuSeconds: undefined,
    });
    this.#ports.costLog.record(row, written(row).json, false);
    this.#ports.observer.attempted(row);
  }

  #addressOf({ provider, model, adapter }: Target, candidate: Candidate) {
    const { config, engines, random } = this.#ports;
    const credential = provider.auth && config.current().credential(provider.auth.credential);
    const hasSeveral = 'endpoints' in provider.connection;
    const endpoint = hasSeveral ? engines.pick(candidate, { tried: [], prefix: undefined, random: random() }) : undefined;
    return adapter.embeddingsAddress!({ provider, model, credential, endpoint });
  }

  #openRow(candidate: Candidate, endpoint: string): CostRecord {
    const { key, now, newRequestId } = this.#ports;
    const at = now() as EpochMillis;
    return openRow(
      {
        exchange: { id: newRequestId(), frontend: { operation: 'Embeddings', dialect: 'openai-chat' } },
        call: { key, tags: {}, plan: {}, envelope: { model: candidate.model.name, stream: false, controls: {} } },
        candidate,
        endpoint,
        attempt: 0,
        purpose: 'embedding',
        fallbackPosition: 0,
        retryPosition: 0,
        isFirst: { ofProvider: true, ofModel: true, ofBoth: true },
        cache: 'bypass',
        at,
        leaseUntil: epochMillis(at + LEASE_MS),
      },
      nanoUsd(0),
    );
  }

  async #estimated(texts: readonly string[]): Promise<Usage> {
    return { ...noUsage, inputUncached: tokens(await this.#ports.estimateTokens(texts.join('\n'))) };
  }
}

const LEASE_MS = 60_000;

/** Nobody's connection can close: the batch is of many. */
const nobody = { gone: false, listener: undefined };

type Outcome = {
  readonly asked: Asked | undefined;
  readonly read: Read | undefined;
  readonly failure: Failure | undefined;
  readonly ms: number;
};

type Read = { readonly vectors: readonly Float32Array[]; readonly usage: Usage | undefined; readonly model: string | undefined };

/** undefined: it is not what was asked for. */
function readVectors(body: Buffer, count: number): Read | undefined {
  const answer = parsed(body);
  const data = isRecord(answer) && Array.isArray(answer.data) ? answer.data : [];
  const vectors: Float32Array[] = [];
  for (const [place, item] of data.entries()) {
    if (!isRecord(item) || !isVector(item.embedding)) return undefined;
    const index = typeof item.index === 'number' ? item.index : place;
    vectors[index] = normalised(Float32Array.from(item.embedding));
  }
  const [first] = vectors;
  if (!isRecord(answer) || vectors.length !== count) return undefined;
  for (let at = 0; at < count; at++) if (vectors[at]?.length !== first!.length) return undefined;
  return { vectors, usage: usageIn(answer.usage), model: typeof answer.model === 'string' ? answer.model : undefined };
}

const isVector = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every(one => typeof one === 'number' && Number.isFinite(one));

function usageIn(usage: unknown): Usage | undefined {
  const count = isRecord(usage) ? usage.prompt_tokens : undefined;
  return Number.isSafeInteger(count) ? { ...noUsage, inputUncached: tokens(count as number) } : undefined;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/** Vectors by text, the least recently used out first. */
class Remembered {
  readonly #vectors = new Map<string, Float32Array>();
  #bytes = 0;

  get(text: string): Float32Array | undefined {
    const vector = this.#vectors.get(text);
    if (!vector) return undefined;
    this.#vectors.delete(text);
    this.#vectors.set(text, vector);
    return vector;
  }

  add(text: string, vector: Float32Array): void {
    if (this.#vectors.has(text)) return;
    this.#vectors.set(text, vector);
    this.#bytes += sizeOf(text, vector);
    for (const [oldest, its] of this.#vectors) {
      if (this.#bytes <= MAX_REMEMBERED_BYTES) return;
      this.#vectors.delete(oldest);
      this.#bytes -= sizeOf(oldest, its);
    }
  }
}

const sizeOf = (text: string, vector: Float32Array): number => 2 * text.length + vector.byteLength;
