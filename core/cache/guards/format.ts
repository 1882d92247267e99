// fmt: the form in which the answer is wanted: JSON, a table, one sentence, briefly.
import { type Guard, unequal } from './guard.ts';

export const format: Guard = { name: 'fmt', objection: ({ a, b }) => unequal(a.formats, b.formats) };
