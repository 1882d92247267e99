// prep: prepositions that cannot stand for each other before the same word: on and under, about and by.
import { differs, type Guard } from './guard.ts';

export const prepositions: Guard = {
  name: 'prep',
  objection({ pairs }) {
    const conflict = pairs.find(({ a, b }) => a.marker !== 0 && b.marker !== 0 && (a.marker & b.marker) === 0);
    return conflict && differs(`${conflict.a.preposition} ${conflict.a.form}`, `${conflict.b.preposition} ${conflict.b.form}`);
  },
};
