// How good a cache would be on pairs of prompts of which somebody said whether one answer serves both.
import type { Decision } from './decide.ts';

export type LabelledPair = { readonly same: boolean; readonly a: string; readonly b: string; readonly source: string };

export type Judged = LabelledPair & { readonly similarity: number; readonly decision: Decision };

export type Scores = {
  readonly positives: number;
  readonly served: number;
  readonly negatives: number;
  readonly falseHits: number;
};

/** Of a file with a pair a line: label (1: one answer serves both), two prompts, and perhaps a source, between tabs; a head may come first. */
export function pairsOf(text: string): { readonly pairs: readonly LabelledPair[]; readonly faults: readonly string[] } {
  const pairs: LabelledPair[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const [label, a, b, source = ''] = line.replace(/\r$/, '').split('\t');
    if (label === '' && a === undefined) continue;
    if (index === 0 && label === 'label') continue;
    if ((label !== '0' && label !== '1') || !a || !b)
      faults.push(`line ${index + 1}: not a label (0 or 1), a tab, a prompt, a tab and a prompt`);
    else pairs.push({ same: label === '1', a, b, source });
  }
  return { pairs, faults };
}

export function scoresOf(judged: readonly Judged[]): Scores {
  const positives = judged.filter(({ same }) => same);
  const negatives = judged.filter(({ same }) => !same);
  const hits = (pairs: readonly Judged[]) => pairs.filter(({ decision }) => decision.hit).length;
  return { positives: positives.length, served: hits(positives), negatives: negatives.length, falseHits: hits(negatives) };
}

/** How many positives each guard refused, the most first. */
export function missesByReason(judged: readonly Judged[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { same, decision } of judged)
    if (same && !decision.hit) counts.set(decision.refusedBy, (counts.get(decision.refusedBy) ?? 0) + 1);
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}

/** Standard deviations of a two-sided 95 % interval. */
const Z95 = 1.959964;

/** Wilson's score interval of a share, at 95 %: [0, 1] where nothing was tried. */
export function wilson(successes: number, trials: number): readonly [low: number, high: number] {
  if (trials === 0) return [0, 1];
  const share = successes / trials;
  const square = (Z95 * Z95) / trials;
  const centre = (share + square / 2) / (1 + square);
  const reach = (Z95 * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials))) / (1 + square);
  return [successes === 0 ? 0 : centre - reach, successes === trials ? 1 : centre + reach];
}
