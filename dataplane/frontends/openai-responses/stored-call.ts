// Paths of calls about a response that is kept: `/v1/responses/{id}`, `/cancel` and `/input_items` below it.

/** What is asked of a kept response. */
export type StoredCall = {
  readonly method: string;
  readonly id: string;
  readonly below: '' | '/cancel' | '/input_items';
  /** Without the question mark. */
  readonly query: string;
};

/** Paths of that form that are calls of their own. */
const OTHERS: ReadonlySet<string> = new Set(['compact', 'input_tokens']);
export const STORED_METHODS = { '': ['GET', 'DELETE'], '/cancel': ['POST'], '/input_items': ['GET'] } as const;

/** undefined: the path is no such. */
export function storedCallOf(method: string, path: string, query: string): StoredCall | undefined {
  const [, encoded, below = ''] = /^\/v1\/responses\/([^/]{1,256})(\/cancel|\/input_items)?$/.exec(path) ?? [];
  if (encoded === undefined || OTHERS.has(encoded)) return undefined;
  return { method, id: decoded(encoded), below: below as StoredCall['below'], query };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
