// The worker of onnx.ts: tokenises, runs the model, takes the mean of the last layer over the tokens, and makes it length 1. Needs a model
// with the inputs of BERT.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { normalised } from './embedder.ts';
import type { WorkerAnswer, WorkerData, WorkerRequest } from './onnx.ts';
import { tokenIds, vocabularyOf } from './wordpiece.ts';

/** The part of the runtimes' interface that is used; both have it. */
type Tensor = { readonly data: Float32Array; readonly dims: readonly number[] };
type Runtime = {
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => Tensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { intraOpNumThreads: number },
    ): Promise<{
      run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
      readonly outputNames: readonly string[];
    }>;
  };
};

/** Tokens that count, with the two that mark beginning and end. */
const MAX_TOKENS = 256;

const { folder, runtime } = workerData as WorkerData;
const { InferenceSession, Tensor } = createRequire(import.meta.url)(runtime) as Runtime;
const vocabulary = vocabularyOf(readFileSync(path.join(folder, 'vocab.txt'), 'utf8'));
const [first, last] = [vocabulary.idOf('[CLS]') ?? 0, vocabulary.idOf('[SEP]') ?? 0];
const session = await InferenceSession.create(readFileSync(path.join(folder, 'model.onnx')), { intraOpNumThreads: 1 });

async function embed(text: string): Promise<Float32Array> {
  const ids = [first, ...tokenIds(text, vocabulary, MAX_TOKENS - 2), last];
  const tensor = (values: readonly number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const output = await session.run({
    input_ids: tensor(ids),
    attention_mask: tensor(ids.map(() => 1)),
    token_type_ids: tensor(ids.map(() => 0)),
  });
  const { data, dims } = output[session.outputNames[0]!]!;
  const size = dims[2]!;
  const mean = new Float32Array(size);
  for (let token = 0; token < ids.length; token++)
    for (let at = 0; at < size; at++) mean[at]! += data[token * size + at]! / ids.length;
  return normalised(mean);
}

parentPort!.on('message', ({ id, texts }: WorkerRequest) => {
  (async () => {
    const vectors: Float32Array[] = [];
    for (const text of texts) vectors.push(await embed(text));
    return { id, vectors };
  })()
    .catch((error: Error) => ({ id, error: error.message }))
    .then(answer => parentPort!.postMessage(answer satisfies WorkerAnswer));
});
