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

const CHATS = ['Chat', 'Messages', 'Responses', 'Completions', 'GenerateContent', 'Converse'] as const;
const UNARY = ['Embeddings', 'Rerank', 'Moderations'] as const;
const PASSED = [
  'Images',
  'Audio',
  'Realtime',
  'Files',
  'Batches',
  'FineTuning',
  'VectorStores',
  'Containers',
  'Conversations',
] as const;

/** What a client asks for, as `match.operations` of a route names it. */
export const OPERATIONS = [...CHATS, ...UNARY, ...PASSED] as const;
export type Operation = (typeof OPERATIONS)[number];
export type UnaryOperation = (typeof UNARY)[number];
/** Beside answers, what is done with the same input: counted, or made shorter. */
export type PassedOperation = (typeof PASSED)[number] | 'Responses';
