// The labelled pairs that the semantic cache is measured on: those of this folder, and the development pairs beside the project where
// they are there.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type LabelledPair, pairsOf } from '#core/cache/evaluate.ts';

const here = import.meta.dirname;
const shared = path.join(here, '../../../shared');

export const ownSets = [
  'minimal-1',
  'minimal-2',
  'minimal-3',
  'minimal-4',
  'minimal-5',
  'minimal-6',
  'hard-1',
  'hard-2',
  'hard-3',
  'hard-4',
  'hard-5',
] as const;
export const developmentSets = ['graphq', 'nlupp', 'banking77', 'gptcache'] as const;

/** A folder with a transformer to measure beside the built-in embedder. */
export const transformer = path.join(shared, 'models/all-MiniLM-L6-v2-int8');

export function pairsIn(set: (typeof ownSets)[number] | (typeof developmentSets)[number]): readonly LabelledPair[] | undefined {
  const own = path.join(here, `${set}.tsv`);
  const file = existsSync(own) ? own : path.join(shared, 'semantic-pairs', `${set}.tsv`);
  if (!existsSync(file)) return undefined;
  const { pairs, faults } = pairsOf(readFileSync(file, 'utf8'));
  if (faults.length > 0) throw new Error(`${file}: ${faults.join('; ')}`);
  return pairs;
}
