// The usage object of OpenAI's wire, in the spellings of those who speak it.
import { noUsage, toolCallsIn, type Usage } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';

export function usageOf(value: unknown): Usage | undefined {
  if (!isRecord(value)) return undefined;
  const prompt = count(value.prompt_tokens);
  const completion = count(value.completion_tokens);
  if (prompt === 0 && completion === 0 && !('prompt_tokens' in value)) return undefined;
  const inputDetails = isRecord(value.prompt_tokens_details) ? value.prompt_tokens_details : {};
  const outputDetails = isRecord(value.completion_tokens_details) ? value.completion_tokens_details : {};
  // DeepSeek on Azure and SGLang put it beside the counts.
  const reasoning = first(outputDetails.reasoning_tokens, value.reasoning_tokens);
  const output = completion + reasoningBesides(value, prompt, completion, reasoning);
  const cacheRead = Math.min(prompt, cachedTokens(value, inputDetails));
  // OpenAI (2026) and OpenRouter; no time to live is told, so it is priced as the short one.
  const cacheWrite = Math.min(prompt - cacheRead, count(inputDetails.cache_write_tokens));
  const inputUncached = prompt - cacheRead - cacheWrite;
  return {
    ...noUsage,
    inputUncached: tokens(inputUncached),
    cacheRead: tokens(cacheRead),
    cacheWrite5m: tokens(cacheWrite),
    output: tokens(output),
    reasoning: tokens(Math.min(output, reasoning)),
    audioInput: tokens(Math.min(inputUncached, count(inputDetails.audio_tokens))),
    audioOutput: tokens(Math.min(output, count(outputDetails.audio_tokens))),
    ...toolCallsIn([['webSearch', searches(value)]]),
  };
}

/** OpenAI counts cached tokens in the details, Moonshot beside the counts, DeepSeek as cache hits. */
const cachedTokens = (usage: JsonRecord, details: JsonRecord): number =>
  first(details.cached_tokens, usage.cached_tokens, usage.prompt_cache_hit_tokens);

/** xAI leaves reasoning out of `completion_tokens` and bills it as output; its total tells. */
function reasoningBesides(usage: JsonRecord, prompt: number, completion: number, reasoning: number): number {
  return reasoning > 0 && count(usage.total_tokens) === prompt + completion + reasoning ? reasoning : 0;
}

/** OpenRouter's searches, xAI's sources, Perplexity's queries where it looks for long: without that they are in its price of a request. */
function searches({
  server_tool_use: tools,
  num_sources_used: sources,
  num_search_queries: queries,
  ...rest
}: JsonRecord): number {
  const requests = isRecord(tools) ? tools.web_search_requests : undefined;
  return first(requests, sources, 'reasoning_tokens' in rest && 'citation_tokens' in rest ? queries : 0);
}

const first = (...values: unknown[]): number => values.map(count).find(value => value > 0) ?? 0;
const count = (value: unknown): number => (Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0);
