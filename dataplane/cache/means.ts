// What questions are compared by, besides their own words: the thesaurus, and how alike words are to the built-in embedder. Loaded with the
// first comparison, and once.
import { readFileSync } from 'node:fs';
import type { Means } from '#core/cache/decide.ts';
import { thesaurusOf } from '#core/cache/thesaurus.ts';
import { cosine } from './embedders/embedder.ts';
import { staticEmbedder } from './embedders/static.ts';

let loaded: Means | undefined;

export function builtInMeans(): Means {
  loaded ??= load();
  return loaded;
}

function load(): Means {
  const thesaurus = thesaurusOf(readFileSync(new URL('./thesaurus/en.txt', import.meta.url), 'utf8'));
  const { wordVector } = staticEmbedder();
  return {
    thesaurus,
    alike(a, b) {
      const [one, other] = [wordVector(a.form), wordVector(b.form)];
      return one && other ? cosine(one, other) : 0;
    },
  };
}
