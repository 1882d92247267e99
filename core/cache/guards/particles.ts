// part: the particle of a verb: look up, look over; turn on, turn off.
import { type Guard, unequal } from './guard.ts';

const particles = new Set(['up', 'down', 'off', 'out', 'back', 'away', 'over']);

export const verbParticles: Guard = {
  name: 'part',
  objection: ({ a, b }) =>
    unequal(
      a.prepositions.filter(word => particles.has(word)),
      b.prepositions.filter(word => particles.has(word)),
    ),
};
