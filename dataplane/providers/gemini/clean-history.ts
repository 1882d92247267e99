// A body of our own dialect whose history another provider made, through us: what we put into it is taken out again, all else stays.
import { SIGNED } from '#core/chat/foreign.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { recordsOf, textOf } from '../wire.ts';
import { NO_SIGNATURE } from './encode-contents.ts';
import type { ModelAbilities } from './models.ts';

/** How every signature of another provider begins that a client of this dialect has: its field holds base64, of which three bytes make four letters. */
export const FOREIGN_SIGNATURE = Buffer.from(SIGNED.slice(0, SIGNED.length - (SIGNED.length % 3))).toString('base64');
const mark = Buffer.from(`"${FOREIGN_SIGNATURE}`);

export const isForeign = (body: Buffer): boolean => body.includes(mark);

export function cleanHistory(body: JsonRecord, { demandsSignatures }: ModelAbilities): Record<string, unknown> {
  const contents = recordsOf(body.contents).flatMap(content => cleanContent(content, demandsSignatures));
  return { ...body, contents };
}

/** A turn of which nothing is left goes too: Google refuses an empty one. */
function cleanContent(content: JsonRecord, demandsSignatures: boolean): JsonRecord[] {
  const parts = Array.isArray(content.parts) ? content.parts.flatMap(part => cleanPart(part, demandsSignatures)) : [];
  return parts.length > 0 ? [{ ...content, parts }] : [];
}

/** Thoughts of another model are none of Google's; what else carries a foreign signature loses that alone. */
function cleanPart(part: unknown, demandsSignatures: boolean): unknown[] {
  const name = isRecord(part) ? ['thoughtSignature', 'thought_signature'].find(field => isForeignText(part[field])) : undefined;
  if (!isRecord(part) || name === undefined) return [part];
  if (part.thought === true) return [];
  const { [name]: _foreign, ...rest } = part;
  return [rest.functionCall !== undefined && demandsSignatures ? { ...rest, thoughtSignature: NO_SIGNATURE } : rest];
}

const isForeignText = (value: unknown): boolean => textOf(value).startsWith(FOREIGN_SIGNATURE);
