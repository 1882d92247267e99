// What codecs of providers' wires have in common. Whatever a wire says that is not as expected counts as absent.
import { type JsonRecord, parseRecord } from '#core/json/record.ts';

export { countOf, recordOf, recordsOf, textOf } from '#core/json/lenient.ts';

/** Of a tool call; without a word there are none. undefined: they are no JSON text of an object. */
export const argumentsObject = (json: string): JsonRecord | undefined => (json.trim() === '' ? {} : parseRecord(json));

/** The entry that a name from the wire has in a table: own entries only, for `constructor` is a name too. */
export const entryOf = <T>(table: Readonly<Record<string, T>>, name: unknown): T | undefined =>
  typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined;
