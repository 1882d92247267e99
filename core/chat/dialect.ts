// The wire formats ("dialects") that clients and providers speak. Where both sides speak the same one, bytes pass through.

/** Of conversations. */
export type Dialect =
  | 'openai-chat'
  | 'anthropic-messages'
  | 'openai-responses'
  | 'openai-completions'
  | 'gemini'
  | 'bedrock-converse';

/** Of operations that are one request and one reply (core/unary). `rerank` is Cohere's and Jina's form, which vLLM speaks too. */
export type UnaryDialect = 'openai-embeddings' | 'rerank' | 'openai-moderations';

/** The rest of OpenAI's API: passed on as it is, and never translated. */
export type PassedDialect = 'openai-api';

export type AnyDialect = Dialect | UnaryDialect | PassedDialect;

/** What a client asks for, as `match.operations` of a route names it. */
export type Operation =
  | 'Chat'
  | 'Messages'
  | 'Responses'
  | 'Completions'
  | 'GenerateContent'
  | 'Converse'
  | UnaryOperation
  | PassedOperation;
export type UnaryOperation = 'Embeddings' | 'Rerank' | 'Moderations';
export type PassedOperation =
  | 'Images'
  | 'Audio'
  | 'Realtime'
  | 'Files'
  | 'Batches'
  | 'FineTuning'
  | 'VectorStores'
  | 'Containers'
  | 'Conversations';
