// Lenient readings of parsed JSON from somebody else's wire: what is not as expected counts as absent.
import { isRecord, type JsonRecord } from './record.ts';

export const recordOf = (value: unknown): JsonRecord => (isRecord(value) ? value : {});
export const recordsOf = (value: unknown): readonly JsonRecord[] => (Array.isArray(value) ? value.filter(isRecord) : []);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
export const countOf = (value: unknown): number => (isCount(value) ? value : 0);
