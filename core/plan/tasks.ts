// Which task of a route a request is: the one with the example that is nearest to what is asked.
import type { SemanticTasks } from '../snapshot/snapshot.ts';

export type NearestTask = {
  /** undefined: no task is near enough, and this is the backend for what is none. */
  readonly name: string | undefined;
  readonly backend: string;
  /** Cosine of the nearest example of all. */
  readonly similarity: number;
};

/**
 * @param similarities to each example of each task
 * @returns undefined: none is near enough, and weights decide
 */
export function nearestTask(
  { tasks, minSimilarity, otherwise }: SemanticTasks,
  similarities: readonly (readonly number[])[],
): NearestTask | undefined {
  let nearest = -1;
  let similarity = Number.NEGATIVE_INFINITY;
  for (const [index, ofTask] of similarities.entries())
    for (const one of ofTask)
      if (one > similarity) {
        nearest = index;
        similarity = one;
      }
  const task = similarity >= minSimilarity ? tasks[nearest] : undefined;
  if (task) return { name: task.name, backend: task.backend, similarity };
  return otherwise === undefined ? undefined : { name: undefined, backend: otherwise, similarity };
}
