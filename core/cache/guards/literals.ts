// lit: quotations, code, paths and identifiers are the same to the letter.
import { type Guard, unequal } from './guard.ts';

export const literals: Guard = { name: 'lit', objection: ({ a, b }) => unequal(a.literals, b.literals) };
