// Documents in the order of their relevance to a query, in neutral form.

export type RerankRequest = {
  readonly model: string;
  readonly query: string;
  /** At least one. */
  readonly documents: readonly string[];
  /** At most so many results; absent: all. */
  readonly topN?: number;
  /** The results repeat the texts of their documents. */
  readonly returnsDocuments: boolean;
  /** Of a document; what is longer is cut. */
  readonly maxTokensPerDocument?: number;
  readonly extra: Readonly<Record<string, unknown>>;
};

/** `index` is the place in the request's documents. */
export type RerankResult = { readonly index: number; readonly score: number };

export type RerankReply = {
  /** Best first. */
  readonly results: readonly RerankResult[];
};
