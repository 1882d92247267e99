// One row of the cost log as LiteLLM's SpendLogs, camelCase where it has that.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { promptTokens } from '#core/chat/usage.ts';
import type { EpochMillis } from '#core/units.ts';
import { usd } from './exact.ts';

/** `request_id` is the id in the reply, which is what clients have; ours, the same on all attempts of a request, is in the metadata. */
export function spendLog(row: CostRecord, token: string | null): Record<string, unknown> {
  const { usage, failure } = row;
  const end = row.at + row.duration;
  return {
    request_id: row.upstreamId ?? row.requestId,
    call_type: callTypes[row.operation],
    api_key: token ?? row.keyName,
    spend: usd(BigInt(row.cost ?? 0)),
    total_tokens: promptTokens(usage) + usage.output,
    prompt_tokens: promptTokens(usage),
    completion_tokens: usage.output,
    startTime: iso(row.at),
    endTime: iso(end),
    completionStartTime: iso(row.at + (row.firstToken ?? row.duration)),
    model: row.upstreamModel,
    model_id: `${row.provider}/${row.model}`,
    model_group: row.modelRequested,
    custom_llm_provider: row.provider,
    api_base: '',
    user: row.tags.user ?? '',
    metadata: {
      tollgate_request_id: row.requestId,
      attempt: row.attempt,
      state: row.state,
      route: row.route ?? null,
      user_api_key_alias: row.keyAlias ?? null,
      user_api_key_team_id: row.tags.team ?? null,
      status: failure ? 'failure' : 'success',
      error_information: failure ? { error_class: failure, error_code: String(row.upstreamStatus) } : null,
      usage_object: usage,
      cost_breakdown: {
        total_cost: usd(BigInt(row.cost ?? 0)),
        price_source: row.priceSource ?? null,
        price_known: row.cost !== null && !row.partlyPriced,
      },
      estimated: row.estimated,
      spend_logs_metadata: row.tags,
    },
    cache_hit: row.cache === 'hit' || row.cache === 'stale' ? 'True' : 'False',
    cache_key: '',
    request_tags: Object.entries(row.tags).map(([name, value]) => (value === '' ? name : `${name}:${value}`)),
    team_id: row.tags.team ?? null,
    end_user: row.userId ?? '',
    requester_ip_address: null,
    messages: {},
    response: {},
    proxy_server_request: {},
    session_id: null,
    status: failure ? 'failure' : 'success',
  };
}

const iso = (at: number | EpochMillis): string => new Date(at).toISOString();

const callTypes: Readonly<Record<CostRecord['operation'], string>> = {
  Chat: 'acompletion',
  Messages: 'anthropic_messages',
  Responses: 'aresponses',
  Completions: 'atext_completion',
  GenerateContent: 'agenerate_content',
  Converse: 'acompletion',
  Embeddings: 'aembedding',
  Rerank: 'arerank',
  Moderations: 'amoderation',
  Images: 'aimage_generation',
  Audio: 'aspeech',
  Realtime: '_arealtime',
  Files: 'afile',
  Batches: 'abatch',
  FineTuning: 'afine_tuning_job',
  VectorStores: 'avector_store',
  Containers: 'acontainer',
  Conversations: 'aconversation',
};
