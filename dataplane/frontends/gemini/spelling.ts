// Google reads a field by its JSON name and by its name in the protocol's definition: `systemInstruction` and `system_instruction`.
import type { JsonRecord } from '#core/json/record.ts';

const inCamel = (name: string): string => name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

export const inSnake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

/** The fields of one message of the protocol under their JSON names; what stands in them is as it was. */
export const camelFields = (message: JsonRecord): JsonRecord =>
  Object.fromEntries(Object.entries(message).map(([name, value]) => [inCamel(name), value]));
