// The usage object of the Responses wire as the gateway's usage record.
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';
import { countOf, recordOf } from '../../wire.ts';
import { serviceIn } from '../service.ts';
import { callsOf } from './tools.ts';

/**
 * Of a whole response, with the calls of tools and the tier it was served in. `input_tokens` holds what was read from and written to the
 * cache; `output_tokens` holds the reasoning.
 */
export function usageIn(response: JsonRecord): Usage | undefined {
  const usage = usageOf(response.usage);
  return usage && { ...usage, ...callsOf(response), ...serviceIn(response) };
}

export function usageOf(value: unknown): Usage | undefined {
  if (!isRecord(value) || !('input_tokens' in value || 'output_tokens' in value)) return undefined;
  const [inputDetails, outputDetails] = [recordOf(value.input_tokens_details), recordOf(value.output_tokens_details)];
  const [input, output] = [countOf(value.input_tokens), countOf(value.output_tokens)];
  const cacheRead = Math.min(input, countOf(inputDetails.cached_tokens));
  // What lives for hours is told apart where it is; the rest is priced as what lives for minutes.
  const written = Math.min(input - cacheRead, countOf(inputDetails.cache_write_tokens));
  const long = Math.min(written, countOf(recordOf(inputDetails.cache_write_tokens_details).ttl_12h_tokens));
  return {
    ...noUsage,
    inputUncached: tokens(input - cacheRead - written),
    cacheRead: tokens(cacheRead),
    cacheWrite5m: tokens(written - long),
    cacheWrite1h: tokens(long),
    output: tokens(output),
    reasoning: tokens(Math.min(output, countOf(outputDetails.reasoning_tokens))),
  };
}
