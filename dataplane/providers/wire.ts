// Lenient readings of parsed JSON from a provider's wire: what is not as expected counts as absent.
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';

export const recordOf = (value: unknown): JsonRecord => (isRecord(value) ? value : {});
export const recordsOf = (value: unknown): readonly JsonRecord[] => (Array.isArray(value) ? value.filter(isRecord) : []);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
export const countOf = (value: unknown): number =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : 0;

/** Of a tool call; without a word there are none. undefined: they are no JSON text of an object. */
export const argumentsObject = (json: string): JsonRecord | undefined => (json.trim() === '' ? {} : parseRecord(json));

/** The entry that a name from the wire has in a table: own entries only, for `constructor` is a name too. */
export const entryOf = <T>(table: Readonly<Record<string, T>>, name: unknown): T | undefined =>
  typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined;
