// Bedrock's usage object as the gateway's usage record.
import type { Usage } from '#core/chat/usage.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';
import { countOf, recordsOf } from '../wire.ts';

/**
 * `inputTokens` does not hold what was read from or written to the cache: the classes are disjoint on the wire already. `cacheDetails` says
 * for how long was written. Thinking is counted in `outputTokens`, and not apart.
 */
export function usageOf(wire: JsonRecord): Usage {
  const hour = recordsOf(wire.cacheDetails)
    .filter(({ ttl }) => ttl === '1h')
    .reduce((sum, detail) => sum + countOf(detail.inputTokens), 0);
  return {
    inputUncached: tokens(countOf(wire.inputTokens)),
    cacheRead: tokens(countOf(wire.cacheReadInputTokens)),
    cacheWrite5m: tokens(Math.max(0, countOf(wire.cacheWriteInputTokens) - hour)),
    cacheWrite1h: tokens(hour),
    output: tokens(countOf(wire.outputTokens)),
    reasoning: tokens(0),
    audioInput: tokens(0),
    audioOutput: tokens(0),
  };
}
