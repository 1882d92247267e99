// LLMProvider: one upstream that serves models, hosted or one's own.
import * as z from 'zod';
import { DEFAULT_CAPABILITIES } from '../snapshot/snapshot.ts';
import {
  baseURL,
  block,
  checked,
  choice,
  count,
  label,
  labelSelector,
  list,
  money,
  multiplier,
  namedList,
  namespaceAdmission,
  pricePerMTok,
  type Rule,
  ratio,
  secretRef,
  serviceLevel,
  statusOf,
  text,
  timer,
} from './common.ts';

const PROVIDER_TYPES = ['OpenAI', 'Anthropic', 'AzureOpenAI', 'Gemini', 'Bedrock', 'OpenAICompatible', 'VLLM'] as const;
type ProviderTypeName = (typeof PROVIDER_TYPES)[number];

/** The block of settings that each type reads. */
const BLOCK_OF_TYPE = {
  OpenAI: 'openAI',
  Anthropic: 'anthropic',
  AzureOpenAI: 'azureOpenAI',
  Gemini: 'gemini',
  Bedrock: 'bedrock',
  OpenAICompatible: 'openAICompatible',
  VLLM: 'vLLM',
} as const satisfies Record<ProviderTypeName, string>;

/** Types whose public address is known: reached over https in a cluster, and never without credentials. */
const HOSTED_TYPES: readonly ProviderTypeName[] = ['OpenAI', 'Anthropic', 'AzureOpenAI', 'Gemini', 'Bedrock'];
/** Types with at least one setting that has no default. */
const BLOCK_REQUIRED: readonly ProviderTypeName[] = ['AzureOpenAI', 'Bedrock', 'OpenAICompatible', 'VLLM'];

/** Where the hosted types are, unless told otherwise. */
export const PUBLIC_BASE_URL = {
  openAI: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com',
  gemini: 'https://generativelanguage.googleapis.com',
} as const;

const DIALECTS = ['Chat', 'Responses', 'Completions', 'Messages'] as const;
type Spoken = (typeof DIALECTS)[number];

/** What a server speaks; clients of any of them are passed through, others are translated to the first. */
const dialects = <const Names extends readonly [Spoken, ...Spoken[]]>(names: Names, what: string) =>
  list(choice(names, 'A wire of its own.'), names.length, what).min(1).optional();

const openAI = block({
  baseURL: baseURL('Base URL, ending in /v1.').default(PUBLIC_BASE_URL.openAI),
  organization: text(128, 'Sent as OpenAI-Organization.').optional(),
  project: text(128, 'Sent as OpenAI-Project.').optional(),
  dialects: dialects(
    ['Chat', 'Responses', 'Completions'],
    'What the models are spoken to in, their own first. Default: Chat and Responses; Responses alone, or Completions alone, for those that OpenAI serves only there.',
  ),
}).meta({ description: 'Settings of type OpenAI.' });

const anthropic = block({
  baseURL: baseURL('Base URL, without /v1.').default(PUBLIC_BASE_URL.anthropic),
  version: text(32, 'Sent as anthropic-version.').optional(),
}).meta({ description: 'Settings of type Anthropic.' });

const azureOpenAI = block({
  endpoint: baseURL('Endpoint of the resource, such as https://name.openai.azure.com.'),
  apiVersion: text(32, 'The api-version of the deployments API. Default: the v1 API, which needs none.').optional(),
}).meta({ description: 'Settings of type AzureOpenAI. upstreamName of a model is its deployment.' });

const gemini = block({
  baseURL: baseURL('Base URL, without /v1beta. The default means, with vertex, the public address of the location.').default(
    PUBLIC_BASE_URL.gemini,
  ),
  vertex: block({
    project: text(64, 'Id of the Google Cloud project.').regex(/^[a-z0-9:.-]+$/, 'must be the id of a project'),
    location: text(64, 'Where the models run, such as europe-west4, us, or global.').regex(/^[a-z0-9-]+$/, 'must be a location'),
  })
    .meta({
      description:
        "The models are Vertex AI's: Google's, and Anthropic's where upstreamName begins with claude-. Without auth the gateway asks as who it is: workload identity, or other application default credentials.",
    })
    .optional(),
}).meta({ description: 'Settings of type Gemini.' });

const bedrock = block({
  region: text(32, 'AWS region.'),
  endpoint: baseURL('Endpoint, where it is not the public one of the region.').optional(),
}).meta({ description: 'Settings of type Bedrock.' });

const VENDORS = ['Mistral', 'Cohere'] as const;

const openAICompatible = block({
  baseURL: baseURL('Base URL, usually ending in /v1.'),
  vendor: choice(
    VENDORS,
    "Whose server it is, where that speaks the wire in a way of its own. Default: known by the host of baseURL (api.mistral.ai, api.cohere.com), else nobody's in particular.",
  ).optional(),
  dialects: dialects(DIALECTS, 'What the server speaks below the base URL, its own first. Default: Chat and Completions.'),
}).meta({ description: 'Settings of type OpenAICompatible: Ollama, LM Studio, TGI, Groq, Together and others.' });

const port = count(1, 65535, 'A port number.');

const vLLM = checked(
  block({
    serviceRef: block({ name: label('Name of a Service in the same namespace.'), port })
      .meta({
        description: 'The engines behind a Service, each reached by its own address.',
      })
      .optional(),
    podSelector: labelSelector('The engines as pods of the same namespace; needs port.').optional(),
    port: port.optional(),
    endpoints: list(baseURL('Base URL without /v1, such as http://10.0.0.5:8000.'), 256, 'A fixed list of engines.')
      .min(1)
      .optional(),
    engine: choice(['vLLM', 'SGLang', 'TRTLLM', 'TGI'], 'Which engine it is, and so which metric names to read.').default('vLLM'),
    metricsPath: text(256, 'Path of the metrics.').default('/metrics'),
    dialects: dialects(
      DIALECTS,
      'What the engine speaks below /v1, its own first. Default: all of them for vLLM, Chat and Completions for the others.',
    ),
  }),
  'Settings of type VLLM: a self-hosted engine.',
  [
    {
      cel: '[has(self.serviceRef), has(self.podSelector), has(self.endpoints)].filter(x, x).size() == 1',
      message: 'exactly one of serviceRef, podSelector, endpoints must be set',
      holds: v => [v.serviceRef, v.podSelector, v.endpoints].filter(x => x !== undefined).length === 1,
    },
    {
      cel: 'has(self.podSelector) == has(self.port)',
      message: 'port is set exactly when podSelector is',
      holds: v => (v.podSelector !== undefined) === (v.port !== undefined),
      at: ['port'],
    },
  ],
);

const auth = block({
  secretRef: secretRef('The Secret with the key of the provider.'),
  header: block({
    name: text(64, 'Name of the header.').regex(/^[A-Za-z0-9-]+$/, 'must be a header name'),
    prefix: z.string().max(32).default('').meta({ description: 'What stands before the key, such as "Bearer ".' }),
  })
    .meta({ description: 'The header that carries the key. Default: by type.' })
    .optional(),
}).meta({
  description:
    'How the gateway authenticates. Required for hosted types but Bedrock and Gemini with vertex, which may use the identity of the pod.',
});

/** Of core/chat/usage.ts, `billedTools`. */
const toolPrices = block({
  webSearch: money(
    'For each search of the web, as the provider counts them: queries, or prompts that were searched for.',
  ).optional(),
  mapsSearch: money('For each prompt that was answered from maps.').optional(),
  fileSearch: money('For each search in files or other stores of the provider.').optional(),
  codeExecution: money('For each container in which a request had code run.').optional(),
  imageGeneration: money('For each image that a tool drew.').optional(),
  other: money('For each call of any other tool that the provider runs and may bill.').optional(),
}).meta({
  description:
    'US dollars for a call of a tool that the provider runs itself, besides the tokens. One without a price is not known, which the route may refuse. With no other price here, these come on top of the list price.',
});

/** Of core/chat/service.ts. */
const serviceTiers = namedList(
  block({
    name: serviceLevel(
      "As requests and answers name it: the service tier of OpenAI, Google and Bedrock (priority, flex), Anthropic's speed (fast) and region (us), Bedrock's latency (optimized). auto: of requests that name no tier or auto.",
    ),
    multiplier: multiplier('How many times the price of tokens.'),
  }),
  16,
  'What tokens cost where a request is served otherwise than by the standard. One that may be dearer and is not here has no known price, which the route may refuse. With no other price here, these come on top of the list price.',
);

const price = checked(
  block({
    inputPerMTok: pricePerMTok('US dollars for a million input tokens.').optional(),
    cachedInputPerMTok: pricePerMTok('For a million input tokens read from the prompt cache. Default: as input.').optional(),
    cacheWritePerMTok: pricePerMTok(
      'For a million input tokens written to the prompt cache. Default: as input; for Anthropic 1.25 times that, and twice that for an hour.',
    ).optional(),
    outputPerMTok: pricePerMTok('For a million output tokens.').optional(),
    audioInputPerMTok: pricePerMTok('For a million tokens of audio that goes in. Default: as input.').optional(),
    audioOutputPerMTok: pricePerMTok(
      'For a million tokens of audio, pictures or video that come out. Default: as output.',
    ).optional(),
    perRequest: money('For each request.').optional(),
    perUnit: money(
      'For each unit of what is not counted in tokens: an image, a second of audio that is transcribed, a character that is read aloud.',
    ).optional(),
    perToolCall: toolPrices.optional(),
    maxToolCalls: count(
      1,
      1000,
      "How many calls of the provider's own tools are reckoned with in a request that does not bound them itself; asked for upstream, where there is a field for it. Default: not known, as a price may be.",
    ).optional(),
    serviceTiers: serviceTiers.optional(),
    gpuHour: money('US dollars for an hour of one GPU: a request costs its measured share.').optional(),
    gpus: count(1, 4096, 'How many GPUs serve the model.').optional(),
  }),
  'What the model costs. Default: the bundled price list by upstreamName; still none: unknown, which the route may refuse.',
  [
    {
      cel: 'has(self.gpuHour) == has(self.gpus)',
      message: 'gpuHour and gpus go together',
      holds: p => (p.gpuHour !== undefined) === (p.gpus !== undefined),
    },
    {
      cel: 'has(self.gpuHour) || has(self.inputPerMTok) || has(self.outputPerMTok) || has(self.perRequest) || has(self.perUnit) || has(self.perToolCall) || has(self.serviceTiers)',
      message: 'a price needs inputPerMTok, outputPerMTok, perRequest, perUnit, perToolCall, serviceTiers or gpuHour',
      holds: p =>
        (p.gpuHour ?? p.inputPerMTok ?? p.outputPerMTok ?? p.perRequest ?? p.perUnit ?? p.perToolCall ?? p.serviceTiers) !==
        undefined,
    },
  ],
);

const CAPABILITIES = ['Chat', 'Tools', 'Vision', 'JSONSchema', 'Embeddings', 'Rerank', 'Moderation', 'Reasoning'] as const;

const model = block({
  name: text(253, 'The public id that clients ask for; also usable as <provider>/<name>.'),
  upstreamName: text(253, 'What the provider calls it. Default: name.').optional(),
  aliases: list(text(253, 'Another public id.'), 16, 'Other public ids of the same model.').default([]),
  capabilities: list(choice(CAPABILITIES, 'Something the model can do.'), CAPABILITIES.length, 'What the model can do.').default([
    ...DEFAULT_CAPABILITIES,
  ]),
  contextWindow: count(
    1,
    1_000_000_000,
    'Tokens of input and output together. Default: the bundled catalogue, else unknown.',
  ).optional(),
  maxOutputTokens: count(1, 1_000_000_000, 'Most tokens of an answer. Default: the bundled catalogue, else unknown.').optional(),
  tier: choice(['Frontier', 'Standard', 'Small'], 'What downgrade and cascades order by.').default('Standard'),
  price: price.optional(),
});

const rate = (what: string) => count(1, 1_000_000_000_000, what).optional();

const limits = block({
  maxConcurrency: rate('Requests at the same time.'),
  rpm: rate('Requests a minute.'),
  tpm: rate('Tokens a minute.'),
  maxQueue: count(0, 100_000, 'Requests that may wait.').default(0),
  queueTimeout: timer('How long one may wait.').default('5s'),
}).meta({ description: 'What the gateway sends to this provider at most.' });

const timeouts = block({
  connect: timer('For the connection.').default('2s'),
  firstToken: timer('From sending the request to the first content. Default: 60s; 5m for models with Reasoning.').optional(),
  streamIdle: timer('Between two pieces of a stream.').default('30s'),
  request: timer('For one attempt as a whole.').default('10m'),
}).meta({ description: 'How long the gateway waits for this provider.' });

const circuitBreaker = block({
  consecutiveFailures: count(1, 1000, 'Failures in a row that open the circuit.').default(5),
  errorRate: ratio('Share of failures that opens it.').default('0.5'),
  window: timer('Over which the share is measured.').default('30s'),
  minRequests: count(1, 100_000, 'Requests in the window before the share counts.').default(20),
  cooldown: timer('How long it stays open at first.').default('10s'),
  maxCooldown: timer('How long it stays open at most.').default('5m'),
  halfOpenProbes: count(1, 100, 'Requests that try whether it works again.').default(1),
}).meta({ description: 'When to stop sending to a provider that fails.' });

export const PROBE_DEFAULTS = {
  interval: '250ms',
  staleAfter: '2s',
  queueDepth: 5,
  kvCacheUtilization: '0.80',
  wedgedAfter: '60s',
} as const;

const probes = block({
  interval: timer('How often the metrics of an engine are read.').default(PROBE_DEFAULTS.interval),
  staleAfter: timer('How old a reading may be.').default(PROBE_DEFAULTS.staleAfter),
  queueDepth: count(1, 100_000, 'Waiting requests above which an engine is saturated.').default(PROBE_DEFAULTS.queueDepth),
  kvCacheUtilization: ratio('Share of the KV cache in use above which an engine is saturated.').default(
    PROBE_DEFAULTS.kvCacheUtilization,
  ),
  wedgedAfter: timer('Without any progress while requests run, an engine counts as wedged after this.').default(
    PROBE_DEFAULTS.wedgedAfter,
  ),
}).meta({ description: 'How engines are watched. VLLM only.' });

const parameterName = text(64, 'A top-level field of the request body.');

// The gateway owns these fields of the upstream body; setting or dropping them would break the request, not shape it.
const OWNED_PARAMETERS = ['model', 'messages', 'stream'];

const parameters = block({
  dropUnsupported: z
    .boolean()
    .default(true)
    .meta({ description: 'Leave out what the provider does not know, instead of refusing the request.' }),
  set: z
    .record(z.string().min(1).max(64), z.unknown())
    .refine(map => Object.keys(map).length <= 32, 'has more than 32 entries')
    .refine(map => !OWNED_PARAMETERS.some(name => Object.hasOwn(map, name)), 'model, messages and stream cannot be set')
    .default({})
    .meta({
      description: 'Top-level fields of the upstream body, set to these values. Not model, messages or stream.',
      'x-kubernetes-preserve-unknown-fields': true,
    }),
  drop: list(parameterName, 32, 'Top-level fields of the upstream body, removed. Not model, messages or stream.')
    .refine(names => !OWNED_PARAMETERS.some(name => names.includes(name)), 'model, messages and stream cannot be dropped')
    .default([]),
  promptCaching: choice(
    ['Client', 'Automatic'],
    "Who marks what of a prompt is to be cached, for models that want marks (Anthropic's, Nova). Automatic: a request without marks of the client's is marked after its tools, its system prompt and its last turn. What is written to a cache may cost more than other input. Default: Client.",
  ).optional(),
}).meta({ description: 'What to change in every request to this provider.' });

const spec = block({
  type: choice(PROVIDER_TYPES, 'Which wire the provider speaks. Immutable.'),
  openAI: openAI.optional(),
  anthropic: anthropic.optional(),
  azureOpenAI: azureOpenAI.optional(),
  gemini: gemini.optional(),
  bedrock: bedrock.optional(),
  openAICompatible: openAICompatible.optional(),
  vLLM: vLLM.optional(),
  auth: auth.optional(),
  locality: block({ region: text(64, 'Region.').optional(), zone: text(64, 'Zone.').optional() })
    .meta({ description: 'Where it runs, for routing by proximity.' })
    .optional(),
  models: namedList(model, 256, 'The models it serves.', 1),
  limits: limits.optional(),
  timeouts: timeouts.prefault({}),
  circuitBreaker: circuitBreaker.prefault({}),
  probes: probes.optional(),
  parameters: parameters.prefault({}),
  allowedRoutes: namespaceAdmission('Routes of which namespaces may use it, besides its own.').prefault({}),
});
type Spec = z.output<typeof spec>;

const quoted = (types: readonly string[]) => `[${types.map(type => `'${type}'`).join(', ')}]`;

function unionRule(type: ProviderTypeName): Rule<Spec> {
  const name = BLOCK_OF_TYPE[type];
  const required = BLOCK_REQUIRED.includes(type);
  return required
    ? {
        cel: `has(self.${name}) == (self.type == '${type}')`,
        message: `${name} is set exactly when type is ${type}`,
        holds: value => (value[name] !== undefined) === (value.type === type),
        at: [name],
      }
    : {
        cel: `!has(self.${name}) || self.type == '${type}'`,
        message: `${name} may only be set when type is ${type}`,
        holds: value => value[name] === undefined || value.type === type,
        at: [name],
      };
}

const httpsOnly = (name: string, field: string): Rule<Spec> => ({
  cel: `!has(self.${name}) || !has(self.${name}.${field}) || self.${name}.${field}.startsWith('https://')`,
  message: `${name}.${field} must begin with https://`,
});

const rules: readonly Rule<Spec>[] = [
  ...PROVIDER_TYPES.map(unionRule),
  { cel: 'self.type == oldSelf.type', message: 'type is immutable' },
  {
    cel: `has(self.auth) || !(self.type in ${quoted(HOSTED_TYPES.filter(type => type !== 'Bedrock'))}) || (has(self.gemini) && has(self.gemini.vertex))`,
    message: 'auth is required for this type',
    holds: value =>
      value.auth !== undefined ||
      value.type === 'Bedrock' ||
      !HOSTED_TYPES.includes(value.type) ||
      value.gemini?.vertex !== undefined,
    at: ['auth'],
  },
  {
    cel: "!has(self.probes) || self.type == 'VLLM'",
    message: 'probes may only be set when type is VLLM',
    holds: value => value.probes === undefined || value.type === 'VLLM',
    at: ['probes'],
  },
  // Compile decides by the policy of the installation: without a cluster http is allowed.
  httpsOnly('openAI', 'baseURL'),
  httpsOnly('anthropic', 'baseURL'),
  httpsOnly('azureOpenAI', 'endpoint'),
  httpsOnly('gemini', 'baseURL'),
  httpsOnly('bedrock', 'endpoint'),
];

export const providerSpec = checked(spec, 'What the provider is and how to use it.', rules);
export type ProviderSpec = z.output<typeof providerSpec>;
export type ModelSpec = ProviderSpec['models'][number];

const states = ['total', 'ready', 'saturated', 'sleeping', 'wedged', 'stale', 'loading'] as const;
const counts = Object.fromEntries(states.map(state => [state, count(0, 100_000, `Endpoints: ${state}.`).optional()]));

export const providerStatus = statusOf({
  endpoints: block(counts)
    .meta({ description: 'How many endpoints are in which state; written on change, at most every 10 s.' })
    .optional(),
});
