// The tasks of routes with strategy Semantic: their examples as vectors, made once for each configuration, and the one nearest to a prompt.
import { type NearestTask, nearestTask } from '#core/plan/tasks.ts';
import type { SemanticTasks } from '#core/snapshot/snapshot.ts';
import type { Tasks } from '../ports.ts';
import { cosine, type Embedder } from './embedders/embedder.ts';
import { staticEmbedder } from './embedders/static.ts';
import type { EmbedderAt } from './meaning.ts';

type Vectors = readonly (readonly Float32Array[])[];

export class NearestTasks implements Tasks {
  readonly #embedderAt: EmbedderAt;
  /** Of each task's examples. */
  readonly #examples = new WeakMap<SemanticTasks, Promise<Vectors>>();

  constructor(embedderAt: EmbedderAt) {
    this.#embedderAt = embedderAt;
  }

  async nearest(semantic: SemanticTasks, prompt: string): Promise<NearestTask | undefined> {
    const embedder = semantic.embedding ? this.#embedderAt(semantic.embedding) : staticEmbedder();
    if (!embedder || semantic.tasks.length === 0) return undefined;
    try {
      const [examples, [vector]] = await Promise.all([this.#examplesOf(semantic, embedder), vectorsOf([prompt], embedder)]);
      return nearestTask(
        semantic,
        examples.map(ofTask => ofTask.map(example => cosine(example, vector!))),
      );
    } catch {
      // Its provider is slow or away: it is as if no task were near.
      return nearestTask(semantic, []);
    }
  }

  #examplesOf(semantic: SemanticTasks, embedder: Embedder): Promise<Vectors> {
    let examples = this.#examples.get(semantic);
    if (!examples) {
      examples = Promise.all(semantic.tasks.map(task => vectorsOf(task.examples, embedder)));
      // Those that could not be made are asked for again.
      examples.catch(() => this.#examples.delete(semantic));
      this.#examples.set(semantic, examples);
    }
    return examples;
  }
}

/** What reads texts is loaded with the first of them: few configurations have tasks. */
async function vectorsOf(texts: readonly string[], embedder: Embedder): Promise<readonly Float32Array[]> {
  const [{ read }, { embedded }] = await Promise.all([import('#core/cache/reading.ts'), import('./judge-pairs.ts')]);
  return embedder.embed(texts.map(text => embedded(read(text), embedder)));
}
