// All guards, in the order in which they are asked: what refuses most comes first.
import { affixes, antonyms } from './antonyms.ts';
import { conjunctions } from './conjunctions.ts';
import { direction } from './direction.ts';
import { entities } from './entities.ts';
import { format } from './format.ts';
import { grammar } from './grammar.ts';
import type { Guard } from './guard.ts';
import { literals } from './literals.ts';
import { modals } from './modals.ts';
import { negation } from './negation.ts';
import { numbers } from './numbers.ts';
import { verbParticles } from './particles.ts';
import { possession } from './possessives.ts';
import { prepositions } from './prepositions.ts';
import { pronouns } from './pronouns.ts';
import { quantifiers } from './quantifiers.ts';
import { questions } from './questions.ts';
import { permuted, swapped } from './roles.ts';
import { times } from './times.ts';
import { boundUnits } from './units.ts';
import { voice } from './voice.ts';

export const guards: readonly Guard[] = [
  numbers,
  boundUnits,
  literals,
  entities,
  antonyms,
  affixes,
  negation,
  quantifiers,
  times,
  questions,
  direction,
  voice,
  swapped,
  permuted,
  prepositions,
  modals,
  possession,
  verbParticles,
  conjunctions,
  pronouns,
  grammar,
  format,
];
