// The wire formats ("dialects") that clients and providers speak. Where both sides speak the same one, bytes pass through.

export type Dialect = 'openai-chat' | 'anthropic-messages';

/** What a client asks for, as `match.operations` of a route names it. */
export type Operation = 'Chat' | 'Messages' | 'Responses' | 'Completions' | 'Embeddings';
