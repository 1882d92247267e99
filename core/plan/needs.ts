// What a request needs of the backend that serves it. Nothing is looked at before something depends on it: a route whose backends
// can do everything, with a strategy that asks nothing, never reads the body for its plan.
import type { Operation } from '../chat/dialect.ts';
import type { Capability } from '../snapshot/snapshot.ts';
import type { NearestTask } from './tasks.ts';

/** Capabilities that a request may need: a backend without one of those it needs is left out. */
export const NEEDED = [
  'Chat',
  'Embeddings',
  'Rerank',
  'Moderation',
  'Tools',
  'Vision',
  'JSONSchema',
] as const satisfies readonly Capability[];
export type Needed = (typeof NEEDED)[number];

/** What each kind of request needs whatever is in it. undefined: for what is passed on as it is, its provider knows. */
export const CAPABILITY_OF: Readonly<Record<Operation, Needed | undefined>> = {
  Chat: 'Chat',
  Messages: 'Chat',
  Responses: 'Chat',
  Completions: 'Chat',
  GenerateContent: 'Chat',
  Converse: 'Chat',
  Embeddings: 'Embeddings',
  Rerank: 'Rerank',
  Moderations: 'Moderation',
  Images: undefined,
  Audio: undefined,
  Realtime: undefined,
  Files: undefined,
  Batches: undefined,
  FineTuning: undefined,
  VectorStores: undefined,
  Containers: undefined,
  Conversations: undefined,
};

export type RequestNeeds = {
  readonly operation: Operation;
  needs(capability: Needed): boolean;
  /** Never more than what a tokenizer would say, and 0 where that cannot be told. */
  leastInputTokens(): number;
  /** The estimate that routes match by. */
  inputTokens(): number;
  /** Of all choices together; undefined: the request does not say. */
  maxOutputTokens(): number | undefined;
  /** 32 bits of tenant, model and the beginning of the prompt: of requests that begin alike they are equal. */
  prefix(): number;
  /** What names the session, from the header of that name. */
  session(header: string): string | undefined;
  /** Of a route that goes by tasks, as far as one is near. */
  readonly task?: NearestTask | undefined;
};

/** A request of which nothing is known: it can be served anywhere. */
export const noNeeds: RequestNeeds = {
  operation: 'Chat',
  needs: () => false,
  leastInputTokens: () => 0,
  inputTokens: () => 0,
  maxOutputTokens: () => undefined,
  prefix: () => 0,
  session: () => undefined,
};
