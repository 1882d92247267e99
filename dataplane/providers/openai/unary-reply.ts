// What a reply without a conversation tells in the forms of this family, whole or read as fields without its content.
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { ReplyTold } from '#core/unary/unary.ts';
import { tokens } from '#core/units.ts';
import type { RequestFields } from '../provider.ts';
import { countOf, recordOf } from '../wire.ts';
import { inBandFailure } from './errors.ts';

/** The fields besides what was asked for: everywhere the same few names. */
const FIELDS = ['error', 'object', 'type', 'message', 'detail', 'id', 'model', 'usage', 'meta'] as const;

/** Of a reply whose content, the list of that name, may be megabytes. */
export function inspectList(reply: RequestFields, list: string): Parsed<ReplyTold> {
  const read = FIELDS.filter(name => reply.has(name)).map(name => [name, reply.get(name)]);
  const told = replyTold(Object.fromEntries(read));
  if (!told.ok || reply.has(list)) return told;
  return refuse('upstream_bad_response', { message: `The reply of the provider has no ${list}.` });
}

export function replyTold(body: unknown): Parsed<ReplyTold> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  const broken = inBandFailure(body);
  if (broken) return { ok: false, failure: broken };
  const { id, model } = body;
  const usage = usageIn(body);
  return ok({
    ...(typeof id === 'string' && id !== '' && { id }),
    ...(typeof model === 'string' && model !== '' && { model }),
    ...(usage && { usage }),
  });
}

/**
 * OpenAI's `usage`, of which Jina and some others tell the total alone; Cohere's billed units, of which a rerank has search units only.
 * 0 for an input is what servers say that do not count.
 */
function usageIn(body: JsonRecord): Usage | undefined {
  const usage = recordOf(body.usage);
  const input = countOf(usage.prompt_tokens) || countOf(usage.input_tokens) || countOf(usage.total_tokens);
  if (input > 0) return { ...noUsage, inputUncached: tokens(input) };
  const billed = recordOf(recordOf(body.meta).billed_units);
  const [billedTokens, searchUnits] = [countOf(billed.input_tokens), countOf(billed.search_units)];
  if (billedTokens === 0 && searchUnits === 0) return undefined;
  return { ...noUsage, inputUncached: tokens(billedTokens), ...(searchUnits > 0 && { requests: searchUnits }) };
}
