// Text to vector: what every embedder of the semantic cache is.

export interface Embedder {
  /** Of the model, such as `potion-base-2M`. Entries are kept apart by id and version: vectors of two models say nothing to each other. */
  readonly id: string;
  readonly version: string;
  readonly dimensions: number;
  /**
   * What it is given of a prompt: its whole text, or only its words with content (contentText). A mean of words without context is
   * nearer to what is asked without `could you tell me`; a transformer wants sentences.
   */
  readonly reads: 'text' | 'content';
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

/** The vector at length 1, in place. A text of no known piece has the vector 0, and is similar to nothing. */
export function normalised(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) return vector;
  const factor = 1 / Math.sqrt(squares);
  for (let at = 0; at < vector.length; at++) vector[at]! *= factor;
  return vector;
}
