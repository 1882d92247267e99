// The thesaurus of this folder, read with the first route that caches by meaning, and never before: it takes some megabytes.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Thesaurus, thesaurusOf } from '#core/cache/thesaurus.ts';

let loaded: Thesaurus | undefined;

export function thesaurus(): Thesaurus {
  loaded ??= thesaurusOf(readFileSync(path.join(import.meta.dirname, 'thesaurus/en.txt'), 'utf8'));
  return loaded;
}
