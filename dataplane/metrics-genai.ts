// OpenTelemetry's metrics of generative AI, under the names that its exporters give them in Prometheus (dots become `_`, the unit is a
// suffix): derived from our own counts when somebody scrapes. The conventions are in development: this file is the only one that knows
// the names of metrics, dataplane/tracing/ has those of spans. (github.com/open-telemetry/semantic-conventions-genai)
import type { Operation } from '#core/chat/dialect.ts';
import type { ProviderType, Snapshot } from '#core/snapshot/snapshot.ts';
import type { Derived, MetricSpec, MetricTable } from '#platform/metrics.ts';
import { spreadOut } from './metrics-derived.ts';
import { requestedModel } from './metrics-litellm.ts';
import type { Identity, Spreads, UsageTally } from './metrics-usage.ts';

const LABELS = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'gen_ai_response_model'] as const;
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const FIRST_TOKEN_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 30, 60];
const TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const TOKENS = Array.from({ length: 14 }, (_, i) => 4 ** i);

const spread = (
  name: string,
  unit: string,
  buckets: readonly number[],
  help: string,
  labels: readonly string[] = LABELS,
): MetricSpec => ({ name: `gen_ai_${name}`, type: 'histogram', unit, labels, buckets, help });

export const genAiMetrics = {
  tokens: spread(
    'client_token_usage',
    'tokens',
    TOKENS,
    'Tokens of an attempt at a provider, of its prompt (`input`) and its answer (`output`).',
    [...LABELS, 'gen_ai_token_type'],
  ),
  operation: spread(
    'client_operation_duration_seconds',
    'seconds',
    SECONDS,
    'Time of an attempt at a provider; `error_type` is `_OTHER` for those that failed.',
    [...LABELS, 'error_type'],
  ),
  firstChunk: spread(
    'client_operation_time_to_first_chunk_seconds',
    'seconds',
    FIRST_TOKEN_SECONDS,
    'From the start of a streamed attempt to its first content.',
  ),
  request: spread(
    'server_request_duration_seconds',
    'seconds',
    SECONDS,
    'From the arrival of a request to the end of its answer.',
  ),
  firstToken: spread(
    'server_time_to_first_token_seconds',
    'seconds',
    FIRST_TOKEN_SECONDS,
    'From the arrival of a streamed request to its first content.',
  ),
  perToken: spread(
    'server_time_per_output_token_seconds',
    'seconds',
    TOKEN_SECONDS,
    'Time for each token of a stream after its first.',
  ),
} as const satisfies MetricTable;

export const operationNames: Readonly<Record<Operation, string>> = {
  Chat: 'chat',
  Messages: 'chat',
  Responses: 'chat',
  Completions: 'text_completion',
  GenerateContent: 'generate_content',
  Converse: 'chat',
  Embeddings: 'embeddings',
  // No well-known values.
  Rerank: 'rerank',
  Moderations: 'moderations',
  Images: 'image_generation',
  Audio: 'audio',
  Realtime: 'realtime',
  Files: 'files',
  Batches: 'batches',
  FineTuning: 'fine_tuning',
  VectorStores: 'vector_stores',
  Containers: 'containers',
  Conversations: 'conversations',
};

/** Well-known values of gen_ai.provider.name, and names of our own in their manner. */
export const providerNames: Readonly<Record<ProviderType, string>> = {
  OpenAI: 'openai',
  Anthropic: 'anthropic',
  AzureOpenAI: 'azure.ai.openai',
  Gemini: 'gcp.gemini',
  Bedrock: 'aws.bedrock',
  OpenAICompatible: 'openai_compatible',
  VLLM: 'vllm',
};

export function genAiDerived(tally: UsageTally, snapshot: () => Pick<Snapshot, 'providers' | 'routes'>): readonly Derived[] {
  const spread = (spec: MetricSpec, part: (spreads: Spreads) => Spreads['request'], ...more: readonly string[]): Derived => ({
    spec,
    samples() {
      const values = labelsBy(snapshot());
      return spreadOut(tally, spec, part, of => [...values(of), ...more]).samples();
    },
  });
  const both = (one: Derived, other: Derived): Derived => ({
    spec: one.spec,
    samples: async () => [...(await one.samples()), ...(await other.samples())],
  });
  const m = genAiMetrics;
  return [
    both(
      spread(m.tokens, s => s.inputTokens, 'input'),
      spread(m.tokens, s => s.outputTokens, 'output'),
    ),
    both(
      spread(m.operation, s => s.attempt, ''),
      spread(m.operation, s => s.failedAttempt, '_OTHER'),
    ),
    spread(m.firstChunk, s => s.attemptFirstToken),
    spread(m.request, s => s.request),
    spread(m.firstToken, s => s.firstToken),
    spread(m.perToken, s => s.perOutputToken),
  ];
}

/** Parallel to LABELS. */
function labelsBy({ providers, routes }: Pick<Snapshot, 'providers' | 'routes'>) {
  const requested = new Map(routes.map(route => [route.id, requestedModel(route)]));
  return ({ operation, provider, model, route }: Identity): readonly string[] => {
    const type = providers[provider]?.connection.type;
    return [operationNames[operation], type ? providerNames[type] : '', requested.get(route) ?? model, model];
  };
}
