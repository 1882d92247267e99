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

export type AnyDialect = Dialect | UnaryDialect;

/** What a client asks for, as `match.operations` of a route names it. */
export type Operation = 'Chat' | 'Messages' | 'Responses' | 'Completions' | 'GenerateContent' | 'Converse' | UnaryOperation;
export type UnaryOperation = 'Embeddings' | 'Rerank' | 'Moderations';
