// A rerank body as the neutral request: Cohere's fields of both versions, and Jina's, which has the same.
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import type { RerankRequest } from '#core/unary/rerank.ts';
import { aBoolean, aList, aName, type Faults, integerFrom, invalid, optional, present, required } from '../reading.ts';
import { extraFields } from '../unary-body.ts';

export function decodeRequest(view: JsonView): Parsed<RerankRequest> {
  const body = view.whole();
  const faults: Faults = {};
  const request = present({
    model: required(faults, body.model, 'model', aName, ''),
    query: required(faults, body.query, 'query', aName, ''),
    documents: required(faults, body.documents, 'documents', aList, []).map((document, i) => textOf(faults, document, i)),
    topN: optional(faults, body.top_n, 'top_n', integerFrom(1)),
    returnsDocuments: optional(faults, body.return_documents, 'return_documents', aBoolean) ?? false,
    maxTokensPerDocument: optional(faults, body.max_tokens_per_doc, 'max_tokens_per_doc', integerFrom(1)),
    extra: extraFields(body, KNOWN),
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

const KNOWN: ReadonlySet<string> = new Set([
  'model',
  'query',
  'documents',
  'top_n',
  'return_documents',
  'max_tokens_per_doc',
  'user',
]);

function textOf(faults: Faults, document: unknown, place: number): string {
  if (typeof document === 'string') return document;
  if (isRecord(document) && typeof document.text === 'string') return document.text;
  return invalid(faults, `documents[${place}]`, 'a text, or an object with a text') ?? '';
}
