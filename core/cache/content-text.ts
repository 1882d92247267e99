// The part of a prompt that an embedder of single words is given.
import type { Reading } from './reading.ts';

/** The words with content in their order, in lower case; the whole text where there are none. */
export const contentText = ({ words, text }: Reading): string => words.map(({ form }) => form).join(' ') || text;
