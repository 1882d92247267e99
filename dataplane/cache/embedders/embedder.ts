// Text to vector: what every embedder of the semantic cache is.

export interface Embedder {
  /** Of the model, such as `potion-base-2M`. Entries are kept apart by id and version: vectors of two models say nothing to each other. */
  readonly id: string;
  readonly version: string;
  readonly dimensions: number;
  /** Vectors of length 1, in the order of the texts. */
  embed(texts: readonly string[]): Promise<readonly Float32Array[]>;
  /** The same at once, where the model is small enough to be asked on the event loop. */
  readonly embedNow?: (texts: readonly string[]) => readonly Float32Array[];
  /** Vectors of length 1 of single words without context, for the alignment of the mode Balanced. */
  readonly wordVector?: (word: string) => Float32Array | undefined;
  close(): Promise<void>;
}

/** Of two vectors of length 1. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}
