// How much a rerank can be at most: of tokens, as the query counts with each document, and of search units.
import type { JsonView } from '#core/json/view.ts';
import type { Extent } from '../frontend.ts';

/** "A single search unit is one query with up to 100 documents"; documents of more than 500 tokens with the query are several (Cohere's pricing page). */
const UNIT_DOCUMENTS = 100;
const CHUNK_TOKENS = 500;
/** What is left of a chunk where the query is long. */
const LEAST_ROOM = 50;
/** Cohere cuts documents there where the request does not say (`max_tokens_per_doc`). */
const MAX_DOCUMENT_TOKENS = 4096;

export function extent(body: JsonView): Extent {
  const { bytes, fields } = body;
  const listed = body.get('documents');
  const documents: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const query = fields.get('query');
  const queryBytes = query ? query.end - query.start : 0;
  const asked = Number(body.get('max_tokens_per_doc') ?? MAX_DOCUMENT_TOKENS);
  const most = asked > 0 ? asked : MAX_DOCUMENT_TOKENS;
  const room = Math.max(LEAST_ROOM, CHUNK_TOKENS - queryBytes);
  const chunks = documents.reduce<number>(
    (sum, document) => sum + Math.max(1, Math.ceil(Math.min(most, sizeOf(document)) / room)),
    0,
  );
  return {
    bytes: bytes.length + queryBytes * documents.length,
    requests: Math.max(1, Math.ceil(chunks / UNIT_DOCUMENTS)),
  };
}

const sizeOf = (document: unknown): number =>
  Buffer.byteLength(typeof document === 'string' ? document : JSON.stringify(document));
