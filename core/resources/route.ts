// LLMRoute: which requests go to which backends, and what happens when one fails.
import * as z from 'zod';
import { OPERATIONS } from '../chat/dialect.ts';
import { SENSITIVE_KINDS } from '../sensitive/kinds.ts';
import { STRATEGIES } from '../snapshot/snapshot.ts';
import {
  baseURL,
  block,
  checked,
  choice,
  count,
  duration,
  flag,
  keyedList,
  label,
  labelSelector,
  list,
  money,
  multiple,
  namedList,
  namespaceAdmission,
  providerRef,
  type Rule,
  ratio,
  secretRef,
  statusOf,
  stringMap,
  text,
  timer,
} from './common.ts';

const MATCH_TYPES = ['Exact', 'Prefix', 'Suffix'] as const;
const RETRY_CLASSES = ['ConnectFailure', 'Timeout', 'RateLimited', 'ServerError', 'Overloaded'] as const;
const FALLBACK_TRIGGERS = [
  'Exhausted',
  'CircuitOpen',
  'RateLimited',
  'Saturated',
  'Timeout',
  'ContextLengthExceeded',
  'ContentFiltered',
] as const;

const matchType = choice(MATCH_TYPES, 'How the value is compared.').default('Exact');

const match = checked(
  block({
    model: block({ type: matchType, value: text(253, 'The model that the client asks for.') })
      .meta({ description: 'The model.' })
      .optional(),
    headers: keyedList(
      block({
        name: text(64, 'Name of the header, in any case.'),
        type: matchType,
        value: text(256, 'Its value.'),
      }),
      'name',
      8,
      'Headers that must all match.',
    ).default([]),
    operations: list(choice(OPERATIONS, 'A kind of request.'), OPERATIONS.length, 'Kinds of request. Default: all.').default([]),
    minInputTokens: count(1, 1_000_000_000, 'Only requests with at least so many input tokens, as estimated.').optional(),
    tags: stringMap(16, 'Request metadata that must be there with these values.').default({}),
  }),
  'All that is set must hold.',
  [
    {
      cel: 'has(self.model) || (has(self.headers) && self.headers.size() > 0) || (has(self.operations) && self.operations.size() > 0) || has(self.minInputTokens) || (has(self.tags) && self.tags.size() > 0)',
      message: 'a match must name something; use catchAll for everything else',
      holds: m =>
        m.model !== undefined ||
        m.headers.length > 0 ||
        m.operations.length > 0 ||
        m.minInputTokens !== undefined ||
        Object.keys(m.tags).length > 0,
    },
  ],
);

const MAX_WEIGHT = 1_000_000;

const backend = block({
  name: label('Name of the backend in this route.'),
  providerRef: providerRef('The provider.'),
  model: text(253, 'One of its models. Default: the model that was asked for.').optional(),
  weight: count(0, MAX_WEIGHT, 'Share of the traffic within its priority.').default(1),
  priority: count(0, 31, 'Lower first: 0 is normal traffic, 1 and up are the order of fallback.').default(0),
  downgrade: flag(false, 'A smaller model, used only where allowDowngrade says so.'),
});

const retries = block({
  attempts: count(0, 10, 'More attempts on the same backend, besides the first.').default(1),
  on: list(choice(RETRY_CLASSES, 'A class of failure.'), RETRY_CLASSES.length, 'Failures that are tried again.').default([
    ...RETRY_CLASSES,
  ]),
  backoff: block({
    base: timer('Upper bound of the first wait; doubles each time, full jitter.').default('200ms'),
    max: timer('Upper bound of any wait. A longer Retry-After means falling back at once.').default('5s'),
  })
    .meta({ description: 'How long to wait in between. Retry-After wins up to max.' })
    .prefault({}),
  budgetPercent: count(0, 100, 'Retries to one provider as a share of requests over 10 s; at least 10 in that window.').default(
    20,
  ),
}).meta({ description: 'Trying again on the same backend.' });

const backendNames = (description: string) => list(label('Name of a backend of this route.'), 32, description);

const fallback = block({
  on: list(
    choice(FALLBACK_TRIGGERS, 'A class of failure.'),
    FALLBACK_TRIGGERS.length,
    'Failures that move on to another backend.',
  ).default(FALLBACK_TRIGGERS.filter(trigger => trigger !== 'ContentFiltered')),
  contentFiltered: backendNames('Backends to use after a content filter, in this order. Default: the order of priority.')
    .min(1)
    .optional(),
  contextLengthExceeded: backendNames(
    'Backends to use for an input that is too long, in this order. Default: the order of priority.',
  )
    .min(1)
    .optional(),
  allowDowngrade: flag(false, 'May backends with downgrade be used.'),
  costGuard: block({
    maxPriceRatio: multiple('How many times the price of priority 0 a fallback may cost.').optional(),
    onExceeded: choice(['Deny', 'Warn'], 'What happens to a dearer one.').default('Deny'),
    budgetPerHour: money('What fallbacks may cost in an hour.').optional(),
  })
    .meta({ description: 'Keeps a fallback from costing more than meant.' })
    .optional(),
  midStream: choice(['Fail', 'Continue'], 'What a stream that dies after its first token gets.').default('Fail'),
}).meta({ description: 'Moving on to another backend.' });

const embedding = block({
  providerRef: providerRef('The provider.'),
  model: text(253, 'Its embedding model.'),
}).meta({ description: 'Who makes the embeddings. Default: the built-in embedder.' });

const accept = block({
  minConfidence: ratio(
    'Confidence from which the answer is taken: the geometric mean of the probabilities of its tokens. A provider that does not tell them is never sure.',
  ).optional(),
  rules: list(choice(['NonEmpty', 'ValidJSON', 'NotRefusal'], 'A rule.'), 3, 'Rules that the answer must meet.').default([]),
  maxOutputTokens: count(1, 1_000_000_000, 'Longer answers are not taken.').optional(),
  judge: block({
    providerRef: providerRef('The provider.'),
    model: text(253, 'One of its models.'),
    minScore: ratio('Score from which the answer is taken.').default('0.7'),
  })
    .meta({
      description: 'A model that reads question and answer and says how good the answer is. Billed as an attempt of its own.',
    })
    .optional(),
}).meta({ description: 'When its answer is taken. Absent, and for the last step: always.' });

const scorer = block({
  url: baseURL('Where the text of the prompt is posted; it answers {"score": 0..1}, how much the prompt needs a strong model.'),
  threshold: ratio('Below it the cascade begins at its first step; from there to 1 the later steps share evenly.').default('0.5'),
  timeout: timer('A slower one is not waited for: the cascade begins at its first step.').default('300ms'),
}).meta({ description: 'A trained router, in the manner of RouteLLM, that says at which step to begin.' });

const cascade = block({
  steps: list(
    block({ backend: label('Name of a backend of this route.'), accept: accept.optional() }),
    8,
    'Backends to ask one after the other, each once.',
  ).min(1),
  scorer: scorer.optional(),
}).meta({ description: 'Ask a small model first, and a larger one when its answer is not good enough.' });

const semantic = block({
  embedding: embedding.optional(),
  minSimilarity: ratio('Below this nothing matches.').default('0.6'),
  tasks: namedList(
    block({
      name: label('Name of the task.'),
      examples: list(text(2048, 'An example.'), 32, 'Examples of the task.').min(1),
      backend: label('Name of a backend of this route.'),
    }),
    32,
    'The tasks; the nearest wins.',
    1,
  ),
  otherwise: label('Name of the backend for what matches no task.').optional(),
}).meta({ description: 'Settings of strategy Semantic.' });

const cache = block({
  mode: choice(['Disabled', 'Exact', 'Semantic'], 'Whether and how answers are cached.').default('Disabled'),
  match: choice(['Strict', 'Careful', 'Balanced'], 'How readily a similar question counts as the same.').default('Careful'),
  similarity: ratio('Similarity from which a question counts as the same.').default('0.80'),
  ttl: duration('How long an answer serves.').default('1h'),
  staleFor: duration('How long after that it may serve as the answer of last resort.').optional(),
  scope: choice(['Key', 'Tenant'], 'Who shares answers; never wider than a tenant.').default('Tenant'),
  onlyDeterministic: flag(true, 'Only requests with temperature 0, or to a model that takes no temperature.'),
  partitionBy: list(text(64, 'A key of the request metadata.'), 8, 'Request metadata that splits the cache.').default([]),
  embedding: embedding.optional(),
  replay: choice(['Paced', 'Instant'], 'How a hit is streamed.').default('Paced'),
  toolCalls: flag(false, 'Are answers with tool calls stored.'),
  falseHitBudget: ratio('Above this estimated share of false hits the match tightens.').optional(),
  sample: ratio('Share of hits that are also sent upstream, to measure agreement.').optional(),
  judge: block({
    providerRef: providerRef('The provider.'),
    model: text(253, 'Its model.'),
    maxPerMinute: count(1, 10_000, 'Judgements a minute.').default(30),
    budgetPerDay: money('What judging may cost in a day.').optional(),
  })
    .meta({ description: 'A model that approves near misses in the background.' })
    .optional(),
  shadow: flag(false, 'Report what would have hit, and serve nothing.'),
}).meta({ description: 'The cache of answers.' });

const hookHeader = checked(
  block({
    name: text(64, 'Name of the header.').regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header'),
    value: text(1024, 'Its value, or, with secretRef, what stands before the secret, such as "Bearer ".')
      .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
      .optional(),
    secretRef: secretRef('The Secret with its value, or with the rest of it.').optional(),
  }),
  'A header.',
  [
    {
      cel: 'has(self.value) || has(self.secretRef)',
      message: 'value, secretRef or both must be set',
      holds: header => header.value !== undefined || header.secretRef !== undefined,
    },
  ],
);

const hookHTTP = block({
  url: baseURL('Where the request, or the answer, is posted (docs/hooks.md). It is asked by the rules of self-hosted providers.'),
  timeout: timer('Longer ones are not waited for.', '30s').default('2s'),
  onFailure: choice(
    ['Allow', 'Deny'],
    'What happens when it says nothing that can be used: too late, away, an error, no verdict, a body beyond maxBodyBytes.',
  ).optional(),
  headers: keyedList(hookHeader, 'name', 16, 'Headers of its requests.').default([]),
  maxBodyBytes: count(1024, 67_108_864, 'What is posted at most, and answered.').default(4_194_304),
  window: count(
    64,
    65_536,
    'A stream that is not held is checked in pieces of so many characters, each before it is sent on.',
  ).default(512),
}).meta({ description: 'A check over HTTP.' });

const sensitiveData = block({
  kinds: list(choice(SENSITIVE_KINDS, 'A kind.'), SENSITIVE_KINDS.length, 'What is looked for. Default: all.')
    .min(1)
    .default([...SENSITIVE_KINDS]),
  action: choice(['Deny', 'Mask'], 'Mask: each is replaced by a placeholder such as [EMAIL_1], the same for the same.'),
  restore: flag(false, 'What was masked in the request is put back where the answer has its placeholder.'),
}).meta({ description: 'The built-in check for secrets and personal data.' });

const hook = checked(
  block({
    name: label('Name of the hook in this route.'),
    when: choice(
      ['Before', 'After'],
      'Before: it sees the request, before the cache and any backend. After: it sees the answer.',
    ),
    mode: choice(['Decide', 'Observe'], 'Observe: it is told, at the same time as others, and nobody waits for it.').default(
      'Decide',
    ),
    http: hookHTTP.optional(),
    sensitiveData: sensitiveData.optional(),
    holdStream: flag(false, 'An answer that is streamed is held back until all of it was checked.'),
  }),
  'A check of requests or of answers.',
  [
    {
      cel: 'has(self.http) != has(self.sensitiveData)',
      message: 'exactly one of http, sensitiveData must be set',
      holds: value => (value.http !== undefined) !== (value.sensitiveData !== undefined),
    },
    {
      cel: "!has(self.sensitiveData) || !has(self.mode) || self.mode == 'Decide'",
      message: 'sensitiveData decides: mode Observe is for http',
      holds: value => value.sensitiveData === undefined || value.mode === 'Decide',
      at: ['mode'],
    },
    {
      cel: "!has(self.http) || has(self.http.onFailure) == (!has(self.mode) || self.mode == 'Decide')",
      message: 'http.onFailure is set exactly where mode is Decide',
      holds: value => value.http === undefined || (value.http.onFailure !== undefined) === (value.mode === 'Decide'),
      at: ['http', 'onFailure'],
    },
    {
      cel: "!has(self.holdStream) || !self.holdStream || (self.when == 'After' && (!has(self.mode) || self.mode == 'Decide'))",
      message: 'holdStream is for hooks that decide about answers',
      holds: value => !value.holdStream || (value.when === 'After' && value.mode === 'Decide'),
      at: ['holdStream'],
    },
    {
      cel: "!has(self.sensitiveData) || !has(self.sensitiveData.restore) || !self.sensitiveData.restore || (self.when == 'Before' && self.sensitiveData.action == 'Mask')",
      message: 'sensitiveData.restore is for what is masked in requests',
      holds: ({ sensitiveData: data, when }) => !data?.restore || (when === 'Before' && data.action === 'Mask'),
      at: ['sensitiveData', 'restore'],
    },
  ],
);

const AFTER_PATTERN = /^(P[1-9][0-9]?|([0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h))+)$/;

const spec = block({
  match: list(match, 64, 'The requests it is for; any of them.').min(1).optional(),
  catchAll: flag(false, 'The route for models that nothing matches.'),
  allowedKeys: namespaceAdmission('Keys of which namespaces may use the route, besides its own.').prefault({}),
  tenants: labelSelector('Narrows further: labels that a TenantKey must have.').optional(),
  strategy: choice(STRATEGIES, 'How a backend is chosen within a priority.').default('Weighted'),
  latency: block({
    percentile: count(1, 99, 'Which percentile of the latency counts.').default(95),
    window: duration('Over which it is measured.').default('5m'),
    tolerance: ratio('Within this share of the best, backends count as equal.').default('0.1'),
  })
    .meta({ description: 'Settings of strategy LowestLatency.' })
    .optional(),
  affinity: block({
    header: text(64, 'The header that names a session.').optional(),
    ttl: duration('How long a session stays with its backend.').default('5m'),
  })
    .meta({ description: 'Keeps the requests of a session on one backend.' })
    .optional(),
  autoWeight: block({
    mode: choice(['Disabled', 'Enabled'], 'Enabled: weights follow the measured error rate and latency.').default('Disabled'),
    floor: ratio('No backend falls below this share of its weight.').default('0.05'),
  })
    .meta({ description: 'Weights that follow what is measured.' })
    .optional(),
  backends: namedList(backend, 32, 'Where requests may go.', 1),
  retries: retries.prefault({}),
  fallback: fallback.prefault({}),
  hedge: block({
    after: text(32, 'When the second request starts: a percentile of first tokens such as P95, or a duration.').regex(
      AFTER_PATTERN,
      'must be a percentile such as P95, or a duration',
    ),
    maxPercent: count(1, 100, 'Share of requests that may be doubled.').default(5),
  })
    .meta({ description: 'A second request to another backend when the first is slow.' })
    .optional(),
  cascade: cascade.optional(),
  semantic: semantic.optional(),
  catchAllAnswer: block({
    staleCache: flag(false, 'Serve an expired answer of the cache, where there is one.'),
    message: text(1024, 'What the client reads.').optional(),
    status: count(400, 599, 'The HTTP status.').default(503),
  })
    .meta({ description: 'The last stage, when no backend is left. Default: 503 with Retry-After.' })
    .optional(),
  cache: cache.optional(),
  hooks: namedList(hook, 8, 'Checks of requests and answers, in the order in which they decide.').default([]),
  onClientDisconnect: choice(['Abort', 'Drain'], 'Abort the upstream, or read on to its usage figure, within bounds.').default(
    'Abort',
  ),
  onUnknownPrice: choice(['Allow', 'Deny'], 'What happens to a request whose price is not known.').default('Allow'),
  clampMaxTokens: flag(false, 'Fit max_tokens into what is left of a budget.'),
  earlyHeartbeat: timer(
    'Send a first heartbeat, and so a 200, after this long without content. Default: nothing is sent before the first content token.',
  ).optional(),
  timeouts: block({
    request: timer('For all attempts together.').optional(),
    streamIdle: timer('Between two pieces of a stream.').optional(),
  })
    .meta({ description: "The shorter of the provider's and the route's applies to an attempt." })
    .prefault({}),
});
type Spec = z.output<typeof spec>;

const namesBackends = (spec: Spec, names: readonly string[] | undefined): boolean =>
  (names ?? []).every(name => spec.backends.some(entry => entry.name === name));

const fallbackNames = (field: 'contentFiltered' | 'contextLengthExceeded'): Rule<Spec> => ({
  cel: `!has(self.fallback) || !has(self.fallback.${field}) || self.fallback.${field}.all(n, self.backends.exists(b, b.name == n))`,
  message: `fallback.${field} must name backends of this route`,
  holds: value => namesBackends(value, value.fallback[field]),
  at: ['fallback', field],
});

const rules: readonly Rule<Spec>[] = [
  {
    cel: 'has(self.match) != (has(self.catchAll) && self.catchAll)',
    message: 'exactly one of match, catchAll: true must be set',
    holds: value => (value.match !== undefined) !== value.catchAll,
  },
  {
    cel: 'self.backends.exists(b, !has(b.weight) || b.weight > 0)',
    message: 'at least one backend must have a positive weight',
    holds: value => value.backends.some(entry => entry.weight > 0),
    at: ['backends'],
  },
  fallbackNames('contentFiltered'),
  fallbackNames('contextLengthExceeded'),
  {
    cel: "!has(self.cascade) || !has(self.strategy) || self.strategy == 'Weighted'",
    message: 'cascade cannot be combined with a strategy other than Weighted',
    holds: value => value.cascade === undefined || value.strategy === 'Weighted',
    at: ['cascade'],
  },
  {
    cel: '!has(self.cascade) || self.cascade.steps.all(s, self.backends.exists(b, b.name == s.backend))',
    message: 'cascade.steps must name backends of this route',
    holds: value =>
      namesBackends(
        value,
        value.cascade?.steps.map(step => step.backend),
      ),
    at: ['cascade', 'steps'],
  },
  {
    cel: '!has(self.cascade) || self.cascade.steps.all(s, self.cascade.steps.exists_one(t, t.backend == s.backend))',
    message: 'cascade.steps must name each backend once',
    holds: ({ cascade }) => new Set(cascade?.steps.map(step => step.backend)).size === (cascade?.steps.length ?? 0),
    at: ['cascade', 'steps'],
  },
  {
    cel: "has(self.semantic) || !has(self.strategy) || self.strategy != 'Semantic'",
    message: 'strategy Semantic needs semantic',
    holds: value => value.semantic !== undefined || value.strategy !== 'Semantic',
    at: ['semantic'],
  },
  {
    cel: '!has(self.semantic) || self.semantic.tasks.all(t, self.backends.exists(b, b.name == t.backend))',
    message: 'semantic.tasks must name backends of this route',
    holds: value =>
      namesBackends(
        value,
        value.semantic?.tasks.map(task => task.backend),
      ),
    at: ['semantic', 'tasks'],
  },
  {
    cel: '!has(self.semantic) || !has(self.semantic.otherwise) || self.backends.exists(b, b.name == self.semantic.otherwise)',
    message: 'semantic.otherwise must name a backend of this route',
    holds: value => value.semantic?.otherwise === undefined || namesBackends(value, [value.semantic.otherwise]),
    at: ['semantic', 'otherwise'],
  },
];

export const routeSpec = checked(spec, 'Which requests it takes and where they go.', rules);
export type RouteSpec = z.output<typeof routeSpec>;

export const routeStatus = statusOf({
  models: list(z.string().max(253), 256, 'The models it serves.').optional(),
  backends: namedList(
    block({ name: label('Name of the backend.'), state: text(64, 'Its state.') }),
    32,
    'The backends and their state.',
  ).optional(),
});
