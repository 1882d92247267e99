// Operations that are one request and one reply: no conversation, and no stream.
import type { Usage } from '../chat/usage.ts';
import type { EmbeddingReply, EmbeddingRequest } from './embeddings.ts';
import type { RerankReply, RerankRequest } from './rerank.ts';

/** Neutral forms. Moderations have none: who offers them speaks OpenAI's form. */
type Forms = {
  readonly Embeddings: { readonly request: EmbeddingRequest; readonly reply: EmbeddingReply };
  readonly Rerank: { readonly request: RerankRequest; readonly reply: RerankReply };
};

/** Operations that are translated where client and provider do not speak the same. */
export type Translated = keyof Forms;

export type UnaryRequest<O extends Translated = Translated> = Forms[O]['request'];

/** What is known of any reply. */
export type ReplyTold = {
  /** The provider's id of the answer; absent: it gave none. */
  readonly id?: string;
  /** As the provider named it; absent: it did not. */
  readonly model?: string;
  /** Absent: the provider did not report it. */
  readonly usage?: Usage;
};

export type UnaryReply<O extends Translated = Translated> = ReplyTold & Forms[O]['reply'];
