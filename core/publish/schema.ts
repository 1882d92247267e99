// In which version of the schema configuration is written: that of the oldest pod, while pods are being replaced by newer ones.
import { SCHEMA_VERSION } from '../snapshot/snapshot.ts';

/**
 * It goes down as soon as one pod asks for it, and up again when all have said that they can: one that has not answered yet may be old.
 * @param reported by each ready pod the version that it reads best; undefined: it has not said yet
 * @param published the version of what is there; undefined: nothing is
 * @returns this version or the one before: older ones cannot be written, and pods that need them keep what they have
 */
export function schemaToWrite(reported: readonly (number | undefined)[], published: number | undefined): number {
  const known = reported.filter(version => version !== undefined);
  const isComplete = reported.length > 0 && known.length === reported.length;
  const lowest = Math.min(SCHEMA_VERSION, ...known, ...(isComplete ? [] : [published ?? SCHEMA_VERSION]));
  return Math.max(lowest, SCHEMA_VERSION - 1);
}
