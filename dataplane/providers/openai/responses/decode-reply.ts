// A whole response, read as the stream that would have made it, so both mean the same by construction.
import { fold } from '#core/chat/fold.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { ReplyFacts, SseMessage } from '../../provider.ts';
import { recordsOf, textOf } from '../../wire.ts';
import { inBandFailure } from '../errors.ts';
import { streamDecoder } from './decode-stream.ts';
import { failureOf, finishOf } from './finish.ts';
import { usageIn } from './usage.ts';

export function decodeReply(body: unknown): Parsed<ChatReply> {
  const read = wholeReply(body);
  if (!read.ok) return read;
  const decoder = streamDecoder();
  const folded = fold([...eventsOf(read.value).flatMap(event => decoder.push(event)), ...decoder.close()]);
  return folded.failure ? { ok: false, failure: folded.failure } : ok(folded.reply);
}

function eventsOf(response: JsonRecord): SseMessage[] {
  const items = recordsOf(response.output).map((item, output_index) => ({
    type: 'response.output_item.done',
    output_index,
    item,
  }));
  const all = [{ type: 'response.created', response }, ...items, { type: 'response.completed', response }];
  return all.map(event => ({ event: '', data: JSON.stringify(event) }));
}

export function leavesOut(body: unknown): boolean {
  const read = wholeReply(body);
  if (!read.ok) return false;
  const decoder = streamDecoder();
  for (const event of eventsOf(read.value)) decoder.push(event);
  return decoder.leftOut?.() === true;
}

/** One that the model still works on (`background`) is whole as far as it goes. */
export function inspectReply(body: unknown): Parsed<ReplyFacts> {
  const read = wholeReply(body);
  if (!read.ok) return read;
  const response = read.value;
  const broken = failureOf(response);
  if (broken) return { ok: false, failure: broken };
  const usage = usageIn(response);
  const finish = finishOf(response, false);
  return ok({
    empty: finish?.reason === 'stop' && !(usage && usage.output > 0) && !recordsOf(response.output).some(saysSomething),
    filtered: finish?.reason === 'content-filter',
    ...(usage && { usage }),
    ...(typeof response.model === 'string' && { model: response.model }),
    ...(typeof response.id === 'string' && { id: response.id }),
  });
}

/** Calls of any kind do; thinking alone is no answer. */
function saysSomething(item: JsonRecord): boolean {
  if (item.type !== 'message') return item.type !== 'reasoning';
  return recordsOf(item.content).some(({ text, refusal }) => textOf(text) !== '' || textOf(refusal) !== '');
}

function wholeReply(body: unknown): Parsed<JsonRecord> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  // A response has an `error` too, which is null, or tells why it failed.
  if (Array.isArray(body.output)) return ok(body);
  const broken = inBandFailure(body);
  return broken ? { ok: false, failure: broken } : refuse('upstream_bad_response');
}
