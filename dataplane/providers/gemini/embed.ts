// Embeddings of Google's: several texts at once by `batchEmbedContents` of the Gemini API; at Vertex AI by `predict`, and one text at a time
// by `embedContent` for the models that are served there only so. Read against @google/genai 3.1.
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { type EmbeddingRequest, textsOf, type Vector, vectorsInOrder } from '#core/unary/embeddings.ts';
import type { UnaryReply } from '#core/unary/unary.ts';
import { tokens } from '#core/units.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { EncodedRequest, UnaryWire } from '../provider.ts';
import { countOf, entryOf, recordOf, recordsOf } from '../wire.ts';
import { acceptOf, addressOf, authorize } from './address.ts';
import { classify, failureOfErrorObject } from './errors.ts';
import type { GeminiConnection, GeminiTarget } from './target.ts';

/** Cohere's words for what vectors are for, and Google's. */
const taskTypes: Readonly<Record<string, string>> = {
  search_query: 'RETRIEVAL_QUERY',
  search_document: 'RETRIEVAL_DOCUMENT',
  classification: 'CLASSIFICATION',
  clustering: 'CLUSTERING',
};

/** Texts as they are asked for; `form` decides where, and in which words. */
type Asked = {
  readonly name: string;
  readonly texts: readonly string[];
  readonly taskType: string | undefined;
  readonly dimensions: number | undefined;
};

type Form = {
  readonly method: string;
  /** Takes one text a request. */
  readonly single?: true;
  body(asked: Asked): Record<string, unknown>;
  vectors(reply: JsonRecord): readonly unknown[];
  tokens(reply: JsonRecord): number;
};

const textOf = (text: string) => ({ parts: [{ text }] });
const optional = (name: string, value: unknown) => (value === undefined ? {} : { [name]: value });
const told = (reply: JsonRecord): number => countOf(recordOf(reply.usageMetadata).promptTokenCount);

const batch: Form = {
  method: 'batchEmbedContents',
  body: ({ name, texts, taskType, dimensions }) => ({
    requests: texts.map(text => ({
      model: `models/${name}`,
      content: textOf(text),
      ...optional('taskType', taskType),
      ...optional('outputDimensionality', dimensions),
    })),
  }),
  vectors: ({ embeddings }) => recordsOf(embeddings).map(({ values }) => values),
  tokens: told,
};

const predict: Form = {
  method: 'predict',
  body: ({ texts, taskType, dimensions }) => ({
    instances: texts.map(content => ({ content, ...optional('task_type', taskType) })),
    // What is too long is an error, and not cut without a word.
    parameters: { autoTruncate: false, ...optional('outputDimensionality', dimensions) },
  }),
  vectors: ({ predictions }) => recordsOf(predictions).map(({ embeddings }) => recordOf(embeddings).values),
  tokens: ({ predictions }) =>
    recordsOf(predictions).reduce(
      (sum, { embeddings }) => sum + countOf(recordOf(recordOf(embeddings).statistics).token_count),
      0,
    ),
};

const single: Form = {
  method: 'embedContent',
  single: true,
  body: ({ texts: [text = ''], taskType, dimensions }) => ({
    content: textOf(text),
    embedContentConfig: {
      autoTruncate: false,
      ...optional('taskType', taskType),
      ...optional('outputDimensionality', dimensions),
    },
  }),
  vectors: ({ embedding }) => [recordOf(embedding).values],
  tokens: told,
};

/** As Google's own SDK chooses. */
function formFor({ provider, model }: Pick<GeminiTarget, 'provider' | 'model'>): Form {
  if (!provider.connection.vertex) return batch;
  const { upstreamName } = model;
  return upstreamName.includes('gemini') && upstreamName !== 'gemini-embedding-001' ? single : predict;
}

function encode(request: EmbeddingRequest, target: GeminiTarget): Parsed<EncodedRequest> {
  const limits = new LeavingOut('Gemini', target.provider.parameters.dropUnsupported);
  const form = formFor(target);
  const { dimensions, purpose, extra } = request;
  for (const name of Object.keys(extra)) limits.leaveOut(name);
  const taskType = purpose === undefined ? undefined : (entryOf(taskTypes, purpose) ?? limits.leaveOut('input_type'));
  const texts = textsOf(request) ?? limits.refuse('input', 'Gemini does not take tokens as input.') ?? [];
  if (form.single && texts.length > 1) limits.refuse('input', 'This model takes one text a request at Vertex AI.');
  if (limits.refusal) return { ok: false, failure: limits.refusal };
  const body = form.body({ name: target.model.upstreamName, texts, taskType, dimensions });
  return ok({ body, dropped: limits.dropped });
}

function decodeReply(body: unknown, { inputs }: EmbeddingRequest, form: Form): Parsed<UnaryReply<'Embeddings'>> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  if (isRecord(body.error)) return { ok: false, failure: failureOfErrorObject(body) };
  const placed = form
    .vectors(body)
    .map((vector, index) => ({ index, vector: Array.isArray(vector) ? (vector as Vector) : undefined }));
  const vectors = vectorsInOrder(placed, inputs.length);
  if (!vectors) return refuse('upstream_bad_response');
  const usage = usageOf(form.tokens(body));
  return ok({ vectors, ...(usage && { usage }) });
}

const usageOf = (count: number): Usage | undefined => (count > 0 ? { ...noUsage, inputUncached: tokens(count) } : undefined);

const wireOf = (form: Form): UnaryWire<'Embeddings', GeminiConnection> => ({
  tokenizer: 'other',
  address: target => addressOf(target, 'google', target.model.upstreamName, form.method, acceptOf(false)),
  authorize,
  translation: {
    ...(form.single && { maxTexts: 1 }),
    encode,
    decodeReply: (body, request) => decodeReply(body, request, form),
  },
  classify,
});

const wires = new Map([batch, predict, single].map(form => [form, wireOf(form)]));

export const embeddingsOf = (target: Pick<GeminiTarget, 'provider' | 'model'>): UnaryWire<'Embeddings', GeminiConnection> =>
  wires.get(formFor(target))!;
