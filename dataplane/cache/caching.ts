// The cache of a data plane, put together. It is opened with the first route that has one, and what it knows of language is loaded then: who
// has none pays for none.
import type { AnswerCache } from '#core/snapshot/snapshot.ts';
import type { Answers } from '../ports.ts';
import { AnswerCaches, type AnswersParts } from './answers.ts';
import { Judging, type JudgingParts } from './judging.ts';
import type { EmbedderAt, Meanings } from './meaning.ts';
import { type Cache, type CacheParts, openCache } from './open-cache.ts';
import type { SamplingParts } from './sampling.ts';
import type { CacheStore } from './store.ts';

export type CachingParts = Omit<CacheParts, 'maxIndexBytes'> &
  Omit<AnswersParts, 'store' | 'flights' | 'sampling' | 'judging' | 'meaning'> &
  Pick<SamplingParts, 'ports' | 'key' | 'onSampled'> &
  Pick<JudgingParts, 'onJudged'> & { readonly embedderAt: EmbedderAt };

export type Caching = {
  readonly answers: Answers;
  readonly store: Pick<CacheStore, 'flush'>;
  /** So that requests of these find all that they need. */
  open(caches: readonly AnswerCache[]): Promise<void>;
  close(): Promise<void>;
};

/** About 1.2 KB an entry with the built-in embedder. */
const MAX_INDEX_BYTES = 128 * 1024 * 1024;
/** Tables of words and vectors are 6 MB and a tenth of a second, which a start does without; a question that comes sooner loads them. */
const PREPARE_AFTER_MS = 5_000;
/** Answers that are overheard at one moment, all together. */
const ALLOWANCE_BYTES = 64 * 1024 * 1024;

export function caching(parts: CachingParts): Caching {
  let opening: Promise<Opened> | undefined;
  let answers: AnswerCaches | undefined;
  let preparing: NodeJS.Timeout | undefined;
  const opened = async (): Promise<Opened> => {
    opening ??= open(parts);
    const cache = await opening;
    const { store, Sampling } = cache;
    answers ??= new AnswerCaches({
      ...parts,
      ...cache,
      sampling: new Sampling({ ...parts, setThreshold: (entry, threshold) => store.setThreshold(entry, threshold) }),
      judging: new Judging({ ...parts, alias: (entry, key) => store.alias(entry, key) }),
    });
    return cache;
  };
  return {
    answers: {
      allowance: { held: 0, max: ALLOWANCE_BYTES },
      async visit(exchange, call) {
        if (!answers) await opened();
        return answers!.visit(exchange, call);
      },
    },
    store: { flush: async scope => (await opened()).store.flush(scope) },
    async open(caches) {
      const { meaning } = await opened();
      preparing = setTimeout(() => caches.forEach(cache => void meaning.prepare(cache)), PREPARE_AFTER_MS).unref();
    },
    async close() {
      clearTimeout(preparing);
      if (!opening) return;
      const { store, flights } = await opening;
      flights.close();
      await store.close();
    },
  };
}

type Opened = Cache & { readonly meaning: Meanings; readonly Sampling: typeof import('./sampling.ts').Sampling };

async function open(parts: CachingParts): Promise<Opened> {
  const [cache, { Meanings }, { Sampling }] = await Promise.all([
    openCache({ ...parts, maxIndexBytes: MAX_INDEX_BYTES }),
    import('./meaning.ts'),
    import('./sampling.ts'),
  ]);
  return { ...cache, meaning: new Meanings(parts.embedderAt), Sampling };
}
