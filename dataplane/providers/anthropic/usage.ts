// Anthropic's usage objects as the gateway's usage record.
import { toolCallsIn, type Usage } from '#core/chat/usage.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';
import { countOf, recordOf, recordsOf } from '../wire.ts';
import { serviceIn } from './service.ts';
import type { ShownTools } from './tools.ts';

/**
 * Folds the usage of a later stream event into that of the earlier ones. Counts are cumulative totals of the message and are
 * omitted (or, by some gateways, zero) where they do not apply, so the larger one holds; never a sum.
 */
export function mergeUsage(before: JsonRecord, later: JsonRecord): JsonRecord {
  const merged: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(later)) {
    if (value === null || value === undefined) continue;
    merged[name] = typeof value === 'number' ? Math.max(countOf(before[name]), countOf(value)) : value;
  }
  return merged;
}

/**
 * `input_tokens` does not hold what was read from or written to the cache: the classes are disjoint on the wire already.
 * @param shown of the answer's blocks
 */
export function usageOf(wire: JsonRecord, shown: ShownTools): Usage {
  const compactions = recordsOf(wire.iterations).filter(isCompaction).map(countsOf);
  const total = compactions.reduce(add, countsOf(wire));
  return {
    inputUncached: tokens(total.input),
    cacheRead: tokens(total.cacheRead),
    cacheWrite5m: tokens(total.cacheWrite5m),
    cacheWrite1h: tokens(total.cacheWrite1h),
    output: tokens(total.output),
    reasoning: tokens(Math.min(total.reasoning, total.output)),
    audioInput: tokens(0),
    audioOutput: tokens(0),
    ...toolCallsIn(shown.calls(searchesIn(wire))),
    ...serviceIn(wire),
  };
}

function searchesIn({ server_tool_use: tools }: JsonRecord): number | undefined {
  const told = recordOf(tools).web_search_requests;
  return told === undefined || told === null ? undefined : countOf(told);
}

/**
 * Compacting the context is billed but left out of the top-level counts (platform.claude.com, "Compaction"). The other kinds of
 * iteration either are in them (`message`, `fallback_message`) or ran on another model at its price (`advisor_message`).
 */
const isCompaction = (iteration: JsonRecord): boolean => iteration.type === 'compaction';

type Counts = Record<'input' | 'cacheRead' | 'cacheWrite5m' | 'cacheWrite1h' | 'output' | 'reasoning', number>;

function countsOf(wire: JsonRecord): Counts {
  const written = recordOf(wire.cache_creation);
  const split1h = countOf(written.ephemeral_1h_input_tokens);
  // message_delta repeats the total only: what it adds to the split of message_start is of the default kind, 5 minutes.
  const total = Math.max(countOf(wire.cache_creation_input_tokens), split1h + countOf(written.ephemeral_5m_input_tokens));
  return {
    input: countOf(wire.input_tokens),
    cacheRead: countOf(wire.cache_read_input_tokens),
    cacheWrite5m: total - split1h,
    cacheWrite1h: split1h,
    output: countOf(wire.output_tokens),
    reasoning: countOf(recordOf(wire.output_tokens_details).thinking_tokens),
  };
}

function add(a: Counts, b: Counts): Counts {
  return {
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    output: a.output + b.output,
    reasoning: a.reasoning + b.reasoning,
  };
}
