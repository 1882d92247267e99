// Google's `usageMetadata` as the gateway's usage record.
import { noUsage, toolCallsIn, type Usage } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';
import { countOf, recordsOf, textOf } from '../wire.ts';
import { serviceIn } from './service.ts';
import type { ShownTools } from './tools.ts';

/**
 * The counts of a stream are cumulative. `promptTokenCount` has what was read from the cache; what tools of Google's own read comes on top of
 * it. Thoughts are billed as output and are not among the candidates' tokens. Vertex's first frames have a record without any count.
 */
export function usageOf(wire: unknown, shown: ShownTools): Usage | undefined {
  if (!isRecord(wire) || !('promptTokenCount' in wire || 'candidatesTokenCount' in wire)) return undefined;
  const prompt = countOf(wire.promptTokenCount);
  const cacheRead = Math.min(prompt, countOf(wire.cachedContentTokenCount));
  const inputUncached = prompt - cacheRead + countOf(wire.toolUsePromptTokenCount);
  const candidates = countOf(wire.candidatesTokenCount);
  const thoughts = countOf(wire.thoughtsTokenCount);
  const output = candidates + (hasThoughtsWithin(wire) ? 0 : thoughts);
  const audioIn = audioOf(wire.promptTokensDetails) - audioOf(wire.cacheTokensDetails) + audioOf(wire.toolUsePromptTokensDetails);
  return {
    ...noUsage,
    inputUncached: tokens(inputUncached),
    cacheRead: tokens(cacheRead),
    output: tokens(output),
    reasoning: tokens(Math.min(output, thoughts)),
    audioInput: tokens(Math.min(inputUncached, Math.max(0, audioIn))),
    audioOutput: tokens(Math.min(output, countOfKinds(wire.candidatesTokensDetails, ['AUDIO', 'IMAGE', 'VIDEO']))),
    ...toolCallsIn(shown.calls()),
    ...serviceIn(wire),
  };
}

/** The total is the sum of its parts, thoughts included: where it is so without them, they were counted among the candidates' already. */
function hasThoughtsWithin(wire: JsonRecord): boolean {
  const parts = countOf(wire.promptTokenCount) + countOf(wire.toolUsePromptTokenCount) + countOf(wire.candidatesTokenCount);
  return countOf(wire.thoughtsTokenCount) > 0 && countOf(wire.totalTokenCount) === parts;
}

const audioOf = (details: unknown): number => countOfKinds(details, ['AUDIO']);

const countOfKinds = (details: unknown, kinds: readonly string[]): number =>
  recordsOf(details).reduce(
    (sum, detail) => (kinds.includes(textOf(detail.modality)) ? sum + countOf(detail.tokenCount) : sum),
    0,
  );
