// The cache of a route, and the tasks of its strategy Semantic: both go by embeddings.
import { durationOf, ratioOf, scaled } from '../resources/quantity.ts';
import type { RouteSpec } from '../resources/route.ts';
import type { AnswerCache, BackendEntry, SemanticTasks } from '../snapshot/snapshot.ts';
import { millis, nanoUsd } from '../units.ts';
import { type Resource, specPath } from './objects.ts';
import type { TargetOf } from './targets.ts';

type CacheSpec = NonNullable<RouteSpec['cache']>;
type SemanticSpec = NonNullable<RouteSpec['semantic']>;

/** Undefined where it is disabled. Without the embedder that was asked for, questions match exactly: no other one stands in for it. */
export function cacheOf(spec: CacheSpec, target: TargetOf): AnswerCache | undefined {
  if (spec.mode === 'Disabled') return undefined;
  const { embedding: wanted, falseHitBudget, sample } = spec;
  const embedding = wanted && target(wanted.providerRef, wanted.model, ['cache', 'embedding'], 'embeddings');
  const judge = spec.judge && judgeOf(spec.judge, target);
  return {
    mode: wanted && !embedding ? 'Exact' : spec.mode,
    match: spec.match,
    similarity: ratioOf(spec.similarity),
    ttl: durationOf(spec.ttl),
    staleFor: spec.staleFor === undefined ? millis(0) : durationOf(spec.staleFor),
    scope: spec.scope,
    onlyDeterministic: spec.onlyDeterministic,
    partitionBy: spec.partitionBy,
    ...(embedding && { embedding }),
    replay: spec.replay,
    toolCalls: spec.toolCalls,
    ...(falseHitBudget !== undefined && { falseHitBudget: ratioOf(falseHitBudget) }),
    sample: sample === undefined ? 0 : ratioOf(sample),
    ...(judge && { judge }),
    shadow: spec.shadow,
  };
}

function judgeOf(
  { providerRef, model, maxPerMinute, budgetPerDay }: NonNullable<CacheSpec['judge']>,
  target: TargetOf,
): AnswerCache['judge'] {
  const found = target(providerRef, model, ['cache', 'judge']);
  if (!found) return undefined;
  const budget = budgetPerDay === undefined ? undefined : nanoUsd(scaled(budgetPerDay, 9) ?? 0);
  return { ...found, maxPerMinute, ...(budget !== undefined && { budgetPerDay: budget }) };
}

/** Undefined without the embedder that was asked for: the route goes by its weights then. Tasks keep the backends that can be used. */
export function semanticOf(
  spec: SemanticSpec,
  backends: readonly BackendEntry[],
  target: TargetOf,
  draft: Resource<'LLMRoute'>['draft'],
): SemanticTasks | undefined {
  const isUsable = (name: string) => backends.some(backend => backend.name === name);
  const embedding =
    spec.embedding && target(spec.embedding.providerRef, spec.embedding.model, ['semantic', 'embedding'], 'embeddings');
  if (spec.embedding && !embedding) return undefined;
  for (const [index, { name, backend }] of spec.tasks.entries())
    if (!isUsable(backend))
      draft.remark(specPath('semantic', 'tasks', index), `the task ${name} is left out: its backend cannot be used`);
  return {
    ...(embedding && { embedding }),
    minSimilarity: ratioOf(spec.minSimilarity),
    tasks: spec.tasks.filter(({ backend }) => isUsable(backend)),
    ...(spec.otherwise !== undefined && isUsable(spec.otherwise) && { otherwise: spec.otherwise }),
  };
}
