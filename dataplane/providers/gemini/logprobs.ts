// Log probabilities, which Google gives in lists of its own, in the neutral form (OpenAI's).
import type { Logprobs } from '#core/chat/reply.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { recordsOf, textOf } from '../wire.ts';

export function logprobsOf(result: unknown): Logprobs | undefined {
  if (!isRecord(result)) return undefined;
  const alternatives = recordsOf(result.topCandidates);
  const content = recordsOf(result.chosenCandidates).map((chosen, i) => ({
    ...tokenOf(chosen),
    top_logprobs: recordsOf(alternatives[i]?.candidates).map(tokenOf),
  }));
  return content.length > 0 ? { content, refusal: null } : undefined;
}

function tokenOf({ token, logProbability }: JsonRecord) {
  const text = textOf(token);
  return { token: text, logprob: typeof logProbability === 'number' ? logProbability : 0, bytes: [...Buffer.from(text)] };
}
