// Prints the table of docs/semantic-cache.md: recall and false hits of the semantic cache on all sets of pairs, by mode and embedder, beside
// what similarity alone would do: `node test/bench/cache-quality.ts`. The second embedder needs ../shared/models and onnxruntime-node.
import { existsSync } from 'node:fs';
import type { Mode } from '#core/cache/difference.ts';
import { type Judged, type LabelledPair, scoresOf, wilson } from '#core/cache/evaluate.ts';
import { cosine, type Embedder } from '#dataplane/cache/embedders/embedder.ts';
import { onnxEmbedder, onnxRuntime } from '#dataplane/cache/embedders/onnx.ts';
import { staticEmbedder } from '#dataplane/cache/embedders/static.ts';
import { judge, type Vectors, vectorsOf } from '#dataplane/cache/judge-pairs.ts';
import { developmentSets, ownSets, pairsIn, transformer } from '../cache-pairs/pairs.ts';

const THRESHOLD = 0.8;
const ALONE = 0.92;
const modes: readonly Mode[] = ['Strict', 'Careful', 'Balanced'];

const sets = [...ownSets, ...developmentSets].flatMap(set => {
  const pairs = pairsIn(set);
  return pairs ? [{ set, pairs }] : [];
});

const hasTransformer = existsSync(transformer) && onnxRuntime() !== undefined;
const embedders = [staticEmbedder() as Embedder, ...(hasTransformer ? [await onnxEmbedder(transformer)] : [])];
if (!hasTransformer) console.log('(no second embedder: it needs ../shared/models and onnxruntime-node)\n');

/** By embedder: its decisions by name, each with one cell a set. */
const tables = new Map<Embedder, Map<string, string[]>>();
for (const embedder of embedders) {
  const measured = await Promise.all(sets.map(async ({ pairs }) => ({ pairs, vectors: await vectorsOf(pairs, embedder) })));
  const decisions = new Map<string, string[]>();
  for (const mode of modes)
    decisions.set(
      mode,
      measured.map(({ pairs, vectors }) => cell(judge(pairs, mode, THRESHOLD, vectors, embedder))),
    );
  decisions.set(
    `similarity ${ALONE} alone`,
    measured.map(({ pairs, vectors }) => cell(alone(pairs, vectors))),
  );
  tables.set(embedder, decisions);
}
for (const [{ id }, decisions] of tables) {
  console.log(`| ${id} | ${[...decisions.keys()].join(' | ')} |\n| --- |${' --- |'.repeat(decisions.size)}`);
  for (const [at, { set }] of sets.entries())
    console.log(`| ${set} | ${[...decisions.values()].map(cells => cells[at]).join(' | ')} |`);
  console.log('');
}
await Promise.all(embedders.map(embedder => embedder.close()));

function alone(pairs: readonly LabelledPair[], vectors: Vectors): Judged[] {
  return pairs.map(pair => {
    const similarity = cosine(vectors.get(pair.a)!, vectors.get(pair.b)!);
    return {
      ...pair,
      similarity,
      decision: similarity >= ALONE ? { hit: true } : { hit: false, refusedBy: 'similarity', detail: '' },
    };
  });
}

/** Recall, false hits and the upper bound of the latter at 95 %. */
function cell(judged: readonly Judged[]): string {
  const { positives, served, negatives, falseHits } = scoresOf(judged);
  const percent = (share: number) => (100 * share).toFixed(1);
  const wrong = negatives === 0 ? '-' : `${percent(falseHits / negatives)} (<= ${percent(wilson(falseHits, negatives)[1])})`;
  return `${percent(served / positives)} / ${wrong}`;
}
