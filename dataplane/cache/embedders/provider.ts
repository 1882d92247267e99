// Vectors from a provider, on whatever wire it makes them: what is asked for at one moment goes in one
// request, what was asked for lately is remembered, and each request is a row of the gateway's own. A provider that is slow or away has no
// vectors: the cache misses then, and nobody waits.
import { type CostRecord, written } from '#core/accounting/cost-record.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { type Parsed, refuse } from '#core/failure.ts';
import { modelOf } from '#core/plan/backends.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { ModelAt, ModelEntry, ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { EmbeddingRequest } from '#core/unary/embeddings.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import { type Asked, askOnce } from '#platform/http-ask.ts';
import { writeDown } from '../../attempt-over.ts';
import type { LiveConfig, LiveKey } from '../../config/live.ts';
import type { Ports } from '../../ports.ts';
import { unaryWireFor } from '../../providers/index.ts';
import type { Translation, UnaryWire } from '../../providers/provider.ts';
import { openRow, settled } from '../../settle.ts';
import { parseJson, post } from '../../upstream-request.ts';
import { type Embedder, normalised } from './embedder.ts';

export type ProviderEmbedderPorts = Pick<
  Ports,
  | 'config'
  | 'http'
  | 'costLog'
  | 'observer'
  | 'onBug'
  | 'health'
  | 'gate'
  | 'engines'
  | 'now'
  | 'monotonic'
  | 'random'
  | 'newRequestId'
  | 'estimateTokens'
  | 'identities'
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

/** How a model of a provider is asked. */
type Target = {
  readonly provider: ProviderEntry;
  readonly model: ModelEntry;
  readonly wire: UnaryWire<'Embeddings'>;
  readonly form: Translation<'Embeddings'>;
};

function targetOf({ snapshot }: LiveConfig, at: ModelAt): Target | undefined {
  const provider = snapshot.providers[at.provider];
  const model = provider && modelOf(provider, at.model);
  if (!provider || !model) return undefined;
  const wire = unaryWireFor('Embeddings', { provider, model });
  return wire?.translation && { provider, model, wire, form: wire.translation };
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
      if (this.#waiting.length >= this.#together) this.#go();
      else this.#timer ??= setTimeout(() => this.#go(), TOGETHER_MS);
    });
  }

  get #together(): number {
    const target = targetOf(this.#ports.config.current(), this.#at);
    return Math.min(MAX_TOGETHER, target?.form.maxTexts ?? MAX_TOGETHER);
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
    target: Target,
    candidate: Candidate,
    texts: readonly string[],
    deadline: number,
  ): Promise<readonly Float32Array[] | undefined> {
    const ports = this.#ports;
    const request = await this.#requestFor(target, candidate, texts);
    const open = request && this.#openRow(candidate, request.origin);
    if (!open || !ports.costLog.record(open, written(open).json, true)) {
      ports.health.left(candidate, ports.monotonic());
      return undefined;
    }
    const startedAt = ports.monotonic();
    const observation = ports.health.began(candidate, 0, startedAt);
    const timeoutMs = Math.max(1, deadline - startedAt);
    const asked = await askOnce(ports.http, request, { timeoutMs, maxBytes: MAX_ANSWER_BYTES });
    const read = this.#read(target, asked, texts);
    const ms = ports.monotonic() - startedAt;
    observation.ended({ failure: read.ok ? undefined : read.failure, ms }, ports.monotonic());
    await this.#record(open, candidate, texts, { status: asked?.status ?? 0, read, ms });
    return read.ok ? read.value.vectors.map(vector => normalised(Float32Array.from(vector))) : undefined;
  }

  /** undefined: the provider cannot be asked so, or nobody can say who we are. */
  async #requestFor({ provider, model, wire, form }: Target, candidate: Candidate, texts: readonly string[]) {
    const { config, engines, random, identities } = this.#ports;
    const credential = provider.auth && config.current().credential(provider.auth.credential);
    const hasSeveral = 'endpoints' in provider.connection;
    const endpoint = hasSeveral ? engines.pick(candidate, { tried: [], prefix: undefined, random: random() }) : undefined;
    const target = { provider, model, credential, endpoint };
    const encoded = form.encode(asking(texts), target);
    if (!encoded.ok) return undefined;
    const connectTimeoutMs = Math.min(provider.timeouts.connect, TIMEOUT_MS);
    const request = { ...post(wire.address(target), JSON.stringify(encoded.value.body), target), connectTimeoutMs };
    try {
      await wire.authorize?.(request, target, identities);
      return request;
    } catch {
      return undefined;
    }
  }

  #read({ wire, form }: Target, asked: Asked | undefined, texts: readonly string[]): Parsed<UnaryReply<'Embeddings'>> {
    if (!asked) return refuse('request_deadline');
    const { status, headers, body } = asked;
    if (status !== 200) {
      const now = this.#ports.now() as EpochMillis;
      return { ok: false, failure: wire.classify({ status, headers, body: body.toString(), now }) };
    }
    const json = parseJson(body);
    return json.ok ? form.decodeReply(json.value, asking(texts), headers) : json;
  }

  async #record(open: CostRecord, candidate: Candidate, texts: readonly string[], { status, read, ms }: Outcome): Promise<void> {
    const told = read.ok ? read.value : undefined;
    const row = settled({ candidate }, open, {
      result: {
        kind: read.ok ? 'answered' : 'refused',
        failure: read.ok ? undefined : read.failure,
        model: told?.model,
        upstreamStatus: status,
        upstreamId: told?.id,
        firstToken: undefined,
        duration: millis(ms),
      },
      usage: told?.usage ?? (told ? await this.#estimated(texts) : noUsage),
      estimated: told !== undefined && told.usage === undefined,
      gpuSeconds: undefined,
    });
    writeDown(written(row), this.#ports);
  }

  #openRow(candidate: Candidate, endpoint: string): CostRecord {
    const { key, now, newRequestId } = this.#ports;
    const at = now() as EpochMillis;
    return openRow(
      {
        exchange: { id: newRequestId(), frontend: { operation: 'Embeddings', dialect: 'openai-embeddings' } },
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

type Outcome = { readonly status: number; readonly read: Parsed<UnaryReply<'Embeddings'>>; readonly ms: number };

const asking = (texts: readonly string[]): EmbeddingRequest => ({ model: '', inputs: texts, encoding: 'float', extra: {} });

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
