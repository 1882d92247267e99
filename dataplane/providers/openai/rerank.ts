// Rerank in the form of Cohere's first version and Jina, which vLLM, Infinity, LocalAI and most gateways speak. TEI's own `/rerank` has other
// names (`texts`), and none of this.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, Target, UnaryWire } from '../provider.ts';
import { classify } from './errors.ts';
import { inspectList } from './unary-reply.ts';

const RERANK = '/rerank';

export const rerankWire = <C extends Connection>(
  address: (target: Target<C>, path: string) => Address,
): UnaryWire<'Rerank', C> => ({
  tokenizer: 'other',
  address: target => address(target, RERANK),
  native: { dialect: 'rerank', inspectReply: reply => inspectList(reply, 'results') },
  classify,
});
