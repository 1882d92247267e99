// A body of our own dialect whose history another provider made, through us: what was put into it for the client is taken out again, all
// else stays. A server of this wire refuses reasoning that it did not seal, and ids of items that it does not know.
import { SIGNED, UNSIGNED } from '#core/chat/foreign.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { textOf } from '../../wire.ts';

const marks = [`"${UNSIGNED}"`, `"${SIGNED}`, '_tollgate_'].map(mark => Buffer.from(mark));

export const isForeign = (body: Buffer): boolean => marks.some(mark => body.includes(mark));

export function cleanHistory(body: JsonRecord): JsonRecord {
  return Array.isArray(body.input) ? { ...body, input: body.input.flatMap(cleanItem) } : body;
}

function cleanItem(item: unknown): unknown[] {
  if (!isRecord(item)) return [item];
  if (item.type === 'reasoning' && isForeignReasoning(item)) return [];
  if (!isOurs(item.id)) return [item];
  const { id: _ours, ...rest } = item;
  return [rest];
}

function isForeignReasoning({ id, encrypted_content: sealed }: JsonRecord): boolean {
  return isOurs(id) || sealed === UNSIGNED || textOf(sealed).startsWith(SIGNED);
}

/** Ids that the gateway gave: see the frontend of this dialect. */
const isOurs = (id: unknown): boolean => /^[a-z]+_tollgate_/.test(textOf(id));
