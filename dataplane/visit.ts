// A request at the cache, as the loop sees it: what there is for it, and what becomes of its own answer.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import type { CachedAnswer } from './cache/store.ts';

export type CacheVisit = {
  /** `stale`: one that has expired is served. What is only kept for when no backend is left is a `miss`. */
  readonly state: CostRecord['cache'];
  /** To be served: a hit, or one that has expired while another request makes it anew. */
  readonly serves: KeptAnswer | undefined;
  /** Has expired, for when no backend is left. */
  readonly stale: KeptAnswer | undefined;
  /** Its own answer may be of use to others. */
  readonly wantsAnswer: boolean;
  readonly told: CacheTold;
  /**
   * Once, when the client has its answer, or is gone.
   *
   * @param answer undefined: there is none that may be kept
   * @param clientLeft before the answer was whole
   */
  end(answer: CachedAnswer | undefined, clientLeft: boolean): void;
};

export type KeptAnswer = CachedAnswer & {
  /** What clients are told of the entry: it names nothing that others could guess. */
  readonly key: string;
  /** 0..1: of the question to the one that was answered; 1: the same words. */
  readonly similarity: number;
  readonly tier: CacheTier;
};

/** `alias`: the same words as a question that a judge found to be the same. */
export type CacheTier = 'exact' | 'alias' | 'semantic';

/** For metrics, and for who asks why. Nothing of what was said is in it. */
export type CacheTold = {
  readonly bypass?: string | undefined;
  /** Of the answer that was served; in shadow, that would have been. */
  readonly entry?: string | undefined;
  readonly similarity?: number | undefined;
  readonly tier?: CacheTier | undefined;
  readonly isShadow: boolean;
  /** Similar questions whose answers were not given, and why not: the name of a guard. */
  readonly refused: readonly CacheRefusal[];
  /** It waited for another request that asked the same. */
  readonly waited: boolean;
  readonly ms: number;
};

export type CacheRefusal = { readonly entry: string; readonly similarity: number; readonly guard: string };

/** An answer as it came by. */
export type Heard = {
  /** undefined: it cannot be told. */
  reply(): ChatReply | undefined;
  /** It had parts that only its own dialect knows. Known once it was read. */
  readonly hasMore: boolean;
  /** It is of no use any more. */
  forget(): void;
};
