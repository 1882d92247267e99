// A local transformer as embedder: a folder with model.onnx and vocab.txt, run by onnxruntime-node or onnxruntime-web where one of them is
// installed (neither is a dependency of this project). The model runs in a worker: it takes milliseconds a prompt.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Embedder } from './embedder.ts';

/** `folder` and `runtime` for the worker. */
export type WorkerData = { readonly folder: string; readonly runtime: string };
export type WorkerRequest = { readonly id: number; readonly texts: readonly string[] };
export type WorkerAnswer =
  | { readonly id: number; readonly vectors: readonly Float32Array[] }
  | { readonly id: number; readonly error: string };

const runtimes = ['onnxruntime-node', 'onnxruntime-web'];

/** Where a runtime is installed, found as Node finds packages, NODE_PATH included; undefined without one. */
export function onnxRuntime(): string | undefined {
  const require = createRequire(import.meta.url);
  for (const name of runtimes) {
    try {
      return require.resolve(name);
    } catch {
      // Not installed: the next one, or none.
    }
  }
  return undefined;
}

type Waiting = { readonly resolve: (vectors: readonly Float32Array[]) => void; readonly reject: (error: Error) => void };

/** Rejects where the folder has no model, no runtime is installed or the model cannot be loaded. */
export async function onnxEmbedder(folder: string): Promise<Embedder> {
  for (const name of ['model.onnx', 'vocab.txt'])
    if (!existsSync(path.join(folder, name))) throw new Error(`there is no ${name} in '${folder}'`);
  const runtime = onnxRuntime();
  if (!runtime) throw new Error(`a model of one's own needs one of the packages ${runtimes.join(' and ')}; neither is installed`);
  const session = new Session({ folder, runtime });
  // The first prompt loads the model, and says how many dimensions it has.
  const [probe] = await session.embed(['probe']).catch(async (error: Error) => {
    await session.close();
    throw error;
  });
  return {
    id: path.basename(path.resolve(folder)),
    version: createHash('sha256')
      .update(readFileSync(path.join(folder, 'model.onnx')))
      .digest('hex')
      .slice(0, 16),
    dimensions: probe!.length,
    reads: 'text',
    embed: texts => session.embed(texts),
    close: () => session.close(),
  };
}

/** One worker, and who waits for its answers. */
class Session {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  private ended: Error | undefined;

  constructor(workerData: WorkerData) {
    this.worker = new Worker(new URL('./onnx-worker.ts', import.meta.url), { workerData });
    this.worker.unref();
    this.worker.on('message', (answer: WorkerAnswer) => this.answered(answer));
    this.worker.on('error', error => this.end(error as Error));
    this.worker.on('exit', () => this.end(new Error('the embedder has ended')));
  }

  embed(texts: readonly string[]): Promise<readonly Float32Array[]> {
    if (this.ended) return Promise.reject(this.ended);
    const id = ++this.last;
    this.worker.ref();
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, texts } satisfies WorkerRequest);
    });
  }

  async close(): Promise<void> {
    this.end(new Error('the embedder is closed'));
    await this.worker.terminate();
  }

  private answered(answer: WorkerAnswer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    // An idle worker keeps no process alive.
    if (this.waiting.size === 0) this.worker.unref();
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.vectors);
  }

  private end(error: Error): void {
    this.ended ??= error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
