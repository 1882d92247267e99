// Whether the answer to one prompt may be served for another: similar enough, in no guard's way, and no word left unexplained.
import { compare } from './alignment.ts';
import { type Mode, unexplained, type WordSimilarity } from './difference.ts';
import { guards } from './guards/index.ts';
import type { Reading } from './reading.ts';
import type { Thesaurus } from './thesaurus.ts';

/** Raised with every change that may turn a hit into a miss or the reverse; entries are partitioned by it. */
export const GUARD_VERSION = 1;

export type Candidate = {
  readonly reading: Reading;
  /** Cosine of the two prompts' vectors. */
  readonly similarity: number;
};

export type Decision =
  | { readonly hit: true }
  /** `similarity`, `language`, `difference` or the name of a guard; `detail` has words of the prompts: never for a log or a stranger. */
  | { readonly hit: false; readonly refusedBy: string; readonly detail: string };

export type Means = {
  readonly thesaurus: Thesaurus;
  /** For Balanced: without it, Balanced is Careful. */
  readonly alike?: WordSimilarity;
};

export function decide(candidate: Candidate, query: Reading, mode: Mode, threshold: number, means: Means): Decision {
  const { reading, similarity } = candidate;
  if (!(similarity >= threshold)) return refused('similarity', similarity.toFixed(4));
  if (!reading.english || !query.english)
    return reading.sequence === query.sequence
      ? { hit: true }
      : refused('language', 'not in English: every word has to be the same');
  const compared = compare(reading, query, means.thesaurus);
  for (const { name, objection } of guards) {
    const detail = objection(compared);
    if (detail !== undefined) return refused(name, detail);
  }
  const left = unexplained(compared, mode, similarity, means.alike);
  return left === undefined ? { hit: true } : refused('difference', left);
}

const refused = (refusedBy: string, detail: string): Decision => ({ hit: false, refusedBy, detail });
