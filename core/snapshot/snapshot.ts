// What the data plane reads: the compiled form of the resources. Plain JSON data (it travels in ConfigMaps), frozen after
// load, no secret value anywhere: credentials travel beside it, addressed by `CredentialRef`.
import type { Operation } from '../chat/dialect.ts';
import type { BilledTool } from '../chat/usage.ts';
import type { FallbackTrigger, RetryClass } from '../failure.ts';
import type { SensitiveKind } from '../sensitive/kinds.ts';
import type { EpochMillis, Millis, NanoUsd, PicoUsd, Tokens } from '../units.ts';

/** Raised when a reader of the previous version could no longer serve what is written. */
export const SCHEMA_VERSION = 1;

export type Snapshot = {
  readonly schemaVersion: number;
  /** By `namespace/name`. */
  readonly providers: Readonly<Record<string, ProviderEntry>>;
  readonly routes: readonly RouteEntry[];
  readonly keys: readonly KeyEntry[];
  /** Those that have budgets of their own, by name. */
  readonly tenants: Readonly<Record<string, TenantEntry>>;
};

/** `namespace/secret/key`. */
export type CredentialRef = string;
/** `namespace/name` of an object. */
export type ObjectId = string;

// ---------------------------------------------------------------- providers

export type ProviderEntry = {
  readonly id: ObjectId;
  readonly namespace: string;
  readonly name: string;
  readonly connection: Connection;
  readonly auth?: { readonly credential: CredentialRef; readonly header: { readonly name: string; readonly prefix: string } };
  readonly locality?: { readonly region?: string; readonly zone?: string };
  readonly models: readonly ModelEntry[];
  readonly limits?: {
    readonly maxConcurrency?: number;
    readonly rpm?: number;
    readonly tpm?: number;
    readonly maxQueue: number;
    readonly queueTimeout: Millis;
  };
  readonly timeouts: {
    readonly connect: Millis;
    readonly firstToken: Millis;
    readonly streamIdle: Millis;
    readonly request: Millis;
  };
  readonly circuitBreaker: {
    readonly consecutiveFailures: number;
    readonly errorRate: number;
    readonly window: Millis;
    readonly minRequests: number;
    readonly cooldown: Millis;
    readonly maxCooldown: Millis;
    readonly halfOpenProbes: number;
  };
  readonly parameters: {
    readonly dropUnsupported: boolean;
    /** Top-level fields of the upstream body, set to these values. */
    readonly set: Readonly<Record<string, unknown>>;
    /** Top-level fields of the upstream body, removed. */
    readonly drop: readonly string[];
    /** Who marks what of a prompt is to be cached; absent: the client. */
    readonly promptCaching?: 'Client' | 'Automatic';
  };
  /** Namespaces whose routes (and keys, for `<provider>/<model>`) may use it, besides its own; `'*'`: all. */
  readonly allowedNamespaces: readonly string[] | '*';
};

/** Base URLs have no trailing slash. OpenAI-shaped ones end in `/v1` (or whatever stands there), Anthropic's do not. */
export type Connection =
  | {
      readonly type: 'OpenAI';
      readonly baseURL: string;
      readonly organization?: string;
      readonly project?: string;
      readonly dialects?: readonly SpokenDialect[];
    }
  | { readonly type: 'Anthropic'; readonly baseURL: string; readonly version?: string }
  | { readonly type: 'AzureOpenAI'; readonly endpoint: string; readonly apiVersion?: string }
  | {
      readonly type: 'Gemini';
      readonly baseURL: string;
      /** Present: Vertex AI. Without `auth` it is asked as who this process is. */
      readonly vertex?: { readonly project: string; readonly location: string };
    }
  | { readonly type: 'Bedrock'; readonly region: string; readonly endpoint?: string }
  | {
      readonly type: 'OpenAICompatible';
      readonly baseURL: string;
      /** Absent: it speaks the wire as most do. */
      readonly vendor?: 'Mistral' | 'Cohere';
      readonly dialects?: readonly SpokenDialect[];
    }
  | {
      readonly type: 'VLLM';
      /** Bases such as `http://10.0.0.5:8000`, without `/v1`. */
      readonly endpoints: readonly string[];
      /** Those of them that are about to end: they get nothing new. */
      readonly draining?: readonly string[];
      readonly engine: 'vLLM' | 'SGLang' | 'TRTLLM' | 'TGI';
      readonly metricsPath: string;
      readonly dialects?: readonly SpokenDialect[];
      readonly probes: {
        readonly interval: Millis;
        readonly staleAfter: Millis;
        readonly queueDepth: number;
        readonly kvCacheUtilization: number;
        readonly wedgedAfter: Millis;
      };
    };
export type ProviderType = Connection['type'];

/** Where a provider does not speak the same for all: what it does, its own first. Absent: as known of the model, or of the engine. */
export type SpokenDialect = 'Chat' | 'Responses' | 'Completions' | 'Messages';

export type Capability = 'Chat' | 'Tools' | 'Vision' | 'JSONSchema' | 'Embeddings' | 'Rerank' | 'Moderation' | 'Reasoning';
/** Of a model of which nobody said what it can do. An API server fills it in, so it cannot be told from one that was written. */
export const DEFAULT_CAPABILITIES = ['Chat', 'Tools', 'JSONSchema'] as const satisfies readonly Capability[];

export type ModelEntry = {
  /** The public id. */
  readonly name: string;
  readonly upstreamName: string;
  readonly aliases: readonly string[];
  readonly capabilities: readonly Capability[];
  /** Absent: unknown, not checked. */
  readonly contextWindow?: Tokens;
  readonly maxOutputTokens?: Tokens;
  readonly tier: 'Frontier' | 'Standard' | 'Small';
  /** Absent: unknown; rows are flagged and `onUnknownPrice` of the route decides. */
  readonly price?: Price;
  /** How long its first content may take. Absent: the provider's `timeouts.firstToken`. */
  readonly firstToken?: Millis;
};

export type Price = {
  /** Where it comes from: `provider` (the resource), `file` (a LiteLLM-format price file), `catalogue` (the bundled list). */
  readonly source: 'provider' | 'file' | 'catalogue';
  /** Version of the source: the package's version, the file's digest, the object's generation. */
  readonly version: string;
  readonly rates: Rates;
  /** Replace all of `rates` for a request whose prompt has more tokens than `above`; ascending. */
  readonly tiers: readonly { readonly above: Tokens; readonly rates: Rates }[];
  /** For self-hosted models: the price of GPU time, besides what `rates` say. */
  readonly gpu?: { readonly hour: NanoUsd; readonly gpus: number };
  /** How many calls of the provider's own tools are reckoned with in a request that does not bound them. Absent: nobody knows. */
  readonly maxToolCalls?: number;
  /** Where an answer that is served otherwise than by the standard has a price of its own. */
  readonly services?: readonly ServicePrice[];
};

/** By the level that requests and answers name: what its tokens cost, in rates of their own or in millionths of the standard's. One of both is there. */
export type ServicePrice = {
  readonly name: string;
  readonly multiplier?: number;
  readonly rates?: Rates;
  readonly tiers?: Price['tiers'];
};

/**
 * Pico-dollars per token of each class, and nano-dollars per request and per unit of what is not counted in tokens. All resolved: an absent
 * class costs what its parent class costs.
 */
export type Rates = {
  readonly input: PicoUsd;
  readonly cacheRead: PicoUsd;
  readonly cacheWrite5m: PicoUsd;
  readonly cacheWrite1h: PicoUsd;
  readonly output: PicoUsd;
  readonly reasoning: PicoUsd;
  readonly audioInput: PicoUsd;
  readonly audioOutput: PicoUsd;
  readonly perRequest: NanoUsd;
  /** See Usage. Absent: nothing. */
  readonly perUnit?: NanoUsd;
  /** For each call of a tool that the provider runs; one that is absent has no known price. */
  readonly perToolCall?: Partial<Readonly<Record<BilledTool, NanoUsd>>>;
};

// ---------------------------------------------------------------- routes

export type RouteEntry = {
  readonly id: ObjectId;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Epoch milliseconds; absent in files. */
  readonly createdAt?: EpochMillis;
  readonly catchAll: boolean;
  /** Any of them matches; empty only for a catch-all. */
  readonly match: readonly RouteMatch[];
  /** Namespaces whose keys may use it, besides its own; `'*'`: all. */
  readonly allowedKeyNamespaces: readonly string[] | '*';
  /** Labels a TenantKey must have. Absent: any. */
  readonly tenants?: Readonly<Record<string, string>>;
  readonly strategy: StrategyName;
  /** For strategy LowestLatency: within `tolerance` (a share) of the best, backends count as equal. */
  readonly latency: { readonly percentile: number; readonly window: Millis; readonly tolerance: number };
  /** A session stays with its backend for `ttl` after its last request. `header`: lower case. */
  readonly affinity?: { readonly header: string; readonly ttl: Millis };
  /** Present: weights follow what is measured, and none falls below this share of itself. */
  readonly autoWeight?: { readonly floor: number };
  readonly backends: readonly BackendEntry[];
  readonly retries: {
    readonly attempts: number;
    readonly on: readonly RetryClass[];
    readonly backoff: { readonly base: Millis; readonly max: Millis };
    readonly budgetPercent: number;
  };
  readonly fallback: {
    readonly on: readonly FallbackTrigger[];
    /** Names of backends, for that class only, in this order. Absent: the priority order. */
    readonly contentFiltered?: readonly string[];
    readonly contextLengthExceeded?: readonly string[];
    readonly allowDowngrade: boolean;
    readonly costGuard?: CostGuard;
    readonly midStream: 'Fail' | 'Continue';
  };
  /** A second attempt when the first token takes longer than a percentile of the route's own, or than a time; for so many of 100 requests at most. */
  readonly hedge?: { readonly after: { readonly percentile: number } | { readonly time: Millis }; readonly maxPercent: number };
  readonly cascade?: Cascade;
  /** For strategy Semantic. Absent there: its embedder cannot be used, and weights decide. */
  readonly semantic?: SemanticTasks;
  /** Absent: its answers are not kept. */
  readonly cache?: AnswerCache;
  /** In order. Absent: there are none. */
  readonly hooks?: readonly Hook[];
  readonly timeouts: { readonly request?: Millis; readonly streamIdle?: Millis };
  readonly onClientDisconnect: 'Abort' | 'Drain';
  readonly onUnknownPrice: 'Allow' | 'Deny';
  /** An answer is made to fit into what is left of a budget. */
  readonly clampMaxTokens: boolean;
  readonly earlyHeartbeat?: Millis;
  /** What the last stage answers when no backend is left. */
  readonly catchAllAnswer?: { readonly staleCache: boolean; readonly message?: string; readonly status: number };
};

/** A check of requests or of answers. With neither `http` nor `sensitiveData` it cannot be asked: as if it had failed. */
export type Hook = {
  readonly name: string;
  readonly when: 'Before' | 'After';
  readonly mode: 'Decide' | 'Observe';
  /** A streamed answer is held back until all of it was checked. */
  readonly holdStream: boolean;
  readonly onFailure: 'Allow' | 'Deny';
  readonly http?: {
    readonly origin: string;
    readonly path: string;
    readonly headers: readonly HookHeader[];
    readonly timeout: Millis;
    readonly maxBodyBytes: number;
    /** Characters. */
    readonly window: number;
  };
  readonly sensitiveData?: {
    readonly kinds: readonly SensitiveKind[];
    readonly action: 'Deny' | 'Mask';
    /** What it masks is put back into the answer. */
    readonly restore: boolean;
  };
};

/** Lower-case name; `value`, and behind it the secret, where there is one. */
export type HookHeader = { readonly name: string; readonly value: string; readonly credential?: CredentialRef };

/** Cheap backends first. An answer that is not accepted is never served; that of the last step always is. */
export type Cascade = {
  /** Two or more; fewer are no cascade. */
  readonly steps: readonly CascadeStep[];
  readonly scorer?: {
    readonly origin: string;
    readonly path: string;
    /** 0..1: from here on a score skips steps. */
    readonly threshold: number;
    readonly timeout: Millis;
  };
};

export type CascadeStep = {
  /** Name of a backend of the route. */
  readonly backend: string;
  /** Absent: whatever it answers is taken. */
  readonly accept?: {
    /** Geometric mean of the probabilities of the answer's tokens, 0..1. */
    readonly minConfidence?: number;
    readonly rules: readonly ('NonEmpty' | 'ValidJSON' | 'NotRefusal')[];
    readonly maxOutputTokens?: Tokens;
    readonly judge?: { readonly provider: ObjectId; readonly model: string; readonly minScore: number };
  };
};

/** A model that a route names besides its backends: provider and public name. */
export type ModelAt = { readonly provider: ObjectId; readonly model: string };

/** The nearest of the examples says which backend comes first. */
export type SemanticTasks = {
  /** Absent: the built-in embedder. */
  readonly embedding?: ModelAt;
  /** Cosine, 0..1: below this nothing matches. */
  readonly minSimilarity: number;
  readonly tasks: readonly { readonly name: string; readonly examples: readonly string[]; readonly backend: string }[];
  /** The backend for what matches no task. Absent: weights decide. */
  readonly otherwise?: string;
};

export type AnswerCache = {
  readonly mode: 'Exact' | 'Semantic';
  /** How readily a similar question counts as the same. */
  readonly match: 'Strict' | 'Careful' | 'Balanced';
  /** Cosine, 0..1. A request may raise it, never lower it. */
  readonly similarity: number;
  readonly ttl: Millis;
  /** How long after that an answer may still serve while another one is made, or when none can be. 0: not at all. */
  readonly staleFor: Millis;
  readonly scope: 'Key' | 'Tenant';
  readonly onlyDeterministic: boolean;
  /** Names of request metadata that split the cache. */
  readonly partitionBy: readonly string[];
  /** Absent: the built-in embedder. */
  readonly embedding?: ModelAt;
  readonly replay: 'Paced' | 'Instant';
  /** Answers with tool calls are kept as well. */
  readonly toolCalls: boolean;
  /** 0..1: above this estimated share of false hits the match tightens. */
  readonly falseHitBudget?: number;
  /** 0..1: the share of hits that are also asked upstream, to measure agreement. */
  readonly sample: number;
  /** A model that approves near misses in the background. */
  readonly judge?: ModelAt & { readonly maxPerMinute: number; readonly budgetPerDay?: NanoUsd };
  /** What would have hit is reported, and nothing is served. */
  readonly shadow: boolean;
};

/** Fallbacks against the price of the first backend of the plan. */
export type CostGuard = {
  /** How many times that price a fallback may cost. */
  readonly maxPriceRatio?: number;
  /** Deny: a dearer one is not used. Warn: somebody is told. */
  readonly onExceeded: 'Deny' | 'Warn';
  /** What all fallbacks of the route may cost in an hour of the clock, over all pods. */
  readonly budgetPerHour?: NanoUsd;
};

export const STRATEGIES = [
  'Weighted',
  'RoundRobin',
  'LeastBusy',
  'LowestLatency',
  'LowestCost',
  'LeastUsage',
  'TokenThroughput',
  'LeastLoad',
  'PrefixAffinity',
  'Nearest',
  'Semantic',
] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/** Everything set must hold. */
export type RouteMatch = {
  readonly model?: { readonly type: 'Exact' | 'Prefix' | 'Suffix'; readonly value: string };
  /** Names are lower case. */
  readonly headers: readonly { readonly name: string; readonly type: 'Exact' | 'Prefix' | 'Suffix'; readonly value: string }[];
  /** Empty: all. */
  readonly operations: readonly Operation[];
  readonly minInputTokens?: Tokens;
  readonly tags: Readonly<Record<string, string>>;
};

export type BackendEntry = {
  readonly name: string;
  /** Key into `Snapshot.providers`. Always present there: compile leaves out a backend whose provider is unsound. */
  readonly provider: ObjectId;
  /** Public name of one of the provider's models. Absent: the model that was asked for. */
  readonly model?: string;
  readonly weight: number;
  readonly priority: number;
  readonly downgrade: boolean;
};

// ---------------------------------------------------------------- keys

export type KeyEntry = {
  /** First 12 hex digits of the first digest. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  /** SHA-256 of the whole key, 64 lower-case hex digits; two while a rotation overlaps. */
  readonly digests: readonly string[];
  /** Earlier keys of the object, each until its own end. */
  readonly previousDigests?: readonly { readonly digest: string; readonly notAfter: EpochMillis }[];
  readonly tenant: string;
  readonly alias?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Glob patterns with `*`. `allow` absent: all. */
  readonly models: { readonly allow?: readonly string[]; readonly deny: readonly string[] };
  /** Labels a route must have. Absent: any. */
  readonly routes?: Readonly<Record<string, string>>;
  readonly limits: {
    readonly rpm?: number;
    readonly tpm?: number;
    readonly maxConcurrency?: number;
    readonly perModel: readonly {
      readonly model: string;
      readonly rpm?: number;
      readonly tpm?: number;
      readonly maxConcurrency?: number;
    }[];
  };
  /** Of scope Key; those of its tenant are in `Snapshot.tenants`. */
  readonly budgets: readonly BudgetEntry[];
  readonly onStoreFailure: 'LocalShare' | 'Allow' | 'Deny';
  readonly tags: Readonly<Record<string, string>>;
  readonly exposeSimilarity: boolean;
  readonly expiresAt?: EpochMillis;
  readonly suspended: boolean;
  readonly priority: number;
};

export type TenantEntry = {
  /** Of scope Tenant: every key of the tenant counts in them, whichever key declares them. By name. */
  readonly budgets: readonly BudgetEntry[];
};

export type BudgetEntry = {
  readonly name: string;
  readonly amount: NanoUsd;
  readonly period: 'Hourly' | 'Daily' | 'Weekly' | 'Monthly' | 'Total';
  /** IANA name, in its proper case. */
  readonly timeZone: string;
  readonly scope: 'Key' | 'Tenant';
  /** Globs of models requested. Empty: all. */
  readonly models: readonly string[];
  readonly warnAtPercent: readonly number[];
  readonly onExhausted: 'Block' | 'Warn' | 'Downgrade';
};
