// How Google says that an answer is over, and why there is none.
import type { Finish, FinishReason } from '#core/chat/reply.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { entryOf, recordOf, textOf } from '../wire.ts';

const withheld = [
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MODEL_ARMOR',
  'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT',
  'IMAGE_RECITATION',
] as const;

/** `finishReason` of a candidate (types of @google/genai 3.1; MODEL_ARMOR by recording). Others say no more than that it is over. */
const reasons: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  // The limit of one request is reached, and the client may go on with `continuationToken`.
  CONTINUATION: 'pause',
  ...Object.fromEntries(withheld.map(reason => [reason, 'content-filter'])),
};

/** The model wrote what nobody can read. */
const broken: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'MALFORMED_RESPONSE',
  'MISSING_THOUGHT_SIGNATURE',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
]);

export const finishReasonOf = ({ finishReason }: JsonRecord): string | undefined =>
  textOf(finishReason) && finishReason !== 'FINISH_REASON_UNSPECIFIED' ? textOf(finishReason) : undefined;

export function finishOf(reason: string, hasCalls: boolean): Finish {
  const known = entryOf(reasons, reason);
  if (!known) return { reason: 'stop', isAssumed: true };
  return { reason: known === 'stop' && hasCalls ? 'tool-calls' : known };
}

export const isBroken = (reason: string): boolean => broken.has(reason);

/** A prompt that was not let through to the model: there are no candidates then. */
export const isBlocked = ({ promptFeedback, candidates }: JsonRecord): boolean =>
  isRecord(promptFeedback) &&
  textOf(recordOf(promptFeedback).blockReason) !== '' &&
  !(Array.isArray(candidates) && candidates.length > 0);
