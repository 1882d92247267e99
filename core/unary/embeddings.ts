// Texts to vectors, in neutral form: what each frontend of embeddings decodes to and each provider's wire is encoded from.

/** Text, or the numbers of its tokens in the vocabulary of the model that was asked for. */
export type EmbeddingInput = string | readonly number[];

export type EmbeddingRequest = {
  /** The model as the client named it; providers are asked by their own name for it. */
  readonly model: string;
  /** At least one. */
  readonly inputs: readonly EmbeddingInput[];
  /** Of each vector; absent: as many as the model gives. */
  readonly dimensions?: number;
  /** How the client wants its numbers: a list, or base64 of 32-bit floats, little-endian. A matter of its own reply alone. */
  readonly encoding: 'float' | 'base64';
  /** What the vectors are for, in Cohere's words: `search_query`, `search_document`, `classification`, `clustering`. */
  readonly purpose?: string;
  readonly user?: string;
  /** Fields of the client's dialect that have no neutral meaning, by their wire name. */
  readonly extra: Readonly<Record<string, unknown>>;
};

/** Numbers as the provider wrote them: doubles that stand for 32-bit floats, or those floats themselves. */
export type Vector = readonly number[] | Float32Array;

export type EmbeddingReply = {
  /** In the order of the inputs. */
  readonly vectors: readonly Vector[];
};

/** Inputs as text; undefined: some are tokens, which are those of one vocabulary alone. */
export function textsOf({ inputs }: EmbeddingRequest): readonly string[] | undefined {
  const texts = inputs.filter(input => typeof input === 'string');
  return texts.length === inputs.length ? texts : undefined;
}

type Placed = { readonly index: unknown; readonly vector: Vector | undefined };

/** Vectors at the places of their inputs; undefined: one is missing, is there twice, is none, or has another number of dimensions. */
export function vectorsInOrder(placed: readonly Placed[], count: number): readonly Vector[] | undefined {
  const vectors: Vector[] = [];
  for (const { index, vector } of placed) {
    if (!Number.isSafeInteger(index) || (index as number) < 0 || (index as number) >= count) return undefined;
    if (!vector || vector.length === 0 || vectors[index as number] || !isNumeric(vector)) return undefined;
    vectors[index as number] = vector;
  }
  const [first] = vectors;
  for (let at = 0; at < count; at++) if (vectors[at]?.length !== first?.length || !first) return undefined;
  return vectors;
}

function isNumeric(vector: Vector): boolean {
  for (let at = 0; at < vector.length; at++) if (!Number.isFinite(vector[at])) return false;
  return true;
}
