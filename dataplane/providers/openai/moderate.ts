// Moderations, as OpenAI has them and Mistral too. A body passes through as it is: nobody else speaks of categories in these words.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, Target, UnaryWire } from '../provider.ts';
import { classify } from './errors.ts';
import { inspectList } from './unary-reply.ts';

const MODERATIONS = '/moderations';

export const moderationsWire = <C extends Connection>(
  tokenizer: 'own' | 'other',
  address: (target: Target<C>, path: string) => Address,
): UnaryWire<'Moderations', C> => ({
  tokenizer,
  address: target => address(target, MODERATIONS),
  native: { dialect: 'openai-moderations', inspectReply: reply => inspectList(reply, 'results') },
  classify,
});
