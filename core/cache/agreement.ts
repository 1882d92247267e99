// Whether two answers say the same, as far as that can be told without understanding them: a kept answer against one that was just made. It
// is an estimate, for shares over many; what is compared are the names, numbers and literals in both, and their likeness as a whole.
import type { ChatReply } from '../chat/reply.ts';
import type { Reading } from './reading.ts';

/** Below it two answers are of different things; answers to one question that say the same are mostly above 0.85. */
const ALIKE = 0.7;
/** Of all names, numbers and literals, so many must be in both. */
const SHARED = 0.5;

/** @param similarity cosine of the two as a whole */
export function agrees(one: Reading, other: Reading, similarity: number): boolean {
  if (one.text.trim() === other.text.trim()) return true;
  return similarity >= ALIKE && overlap(factsOf(one), factsOf(other)) >= SHARED;
}

const factsOf = ({ words }: Reading): ReadonlySet<string> =>
  new Set(words.filter(({ kind, proper }) => proper || kind !== 'word').map(({ form }) => form.toLowerCase()));

function overlap(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const all = one.union(other).size;
  return all === 0 ? 1 : one.intersection(other).size / all;
}

export const textOfReply = ({ parts }: ChatReply): string =>
  parts.map(part => (part.kind === 'text' ? part.text : '')).join('\n');
