// The wire of 2020 (`/v1/completions`): a text that is gone on with. For clients of that dialect alone: it knows no conversation.
import { refuse } from '#core/failure.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, Provider, Target } from '../../provider.ts';
import { notable } from '../decode.ts';
import { classify } from '../errors.ts';
import { passthroughEdits } from '../passthrough.ts';
import { outputAsked } from './asked.ts';
import { decodeReply, inspectReply, streamDecoder } from './decode.ts';

const COMPLETIONS = '/completions';

/** @param addressOf where a path below the provider's base is, with the headers that prove who asks */
export function completionsWire<C extends Connection>(
  target: string,
  tokenizer: Provider['tokenizer'],
  addressOf: (target: Target<C>, path: string) => Address,
): Provider<C> {
  return {
    dialect: 'openai-completions',
    tokenizer,
    address: at => addressOf(at, COMPLETIONS),
    encode: ({ model }) =>
      refuse('unsupported_parameter', {
        message: `The model '${model}' of ${target} completes texts (/v1/completions); it takes no conversation.`,
        param: 'model',
      }),
    passthroughEdits,
    outputAsked,
    outputLimitField: () => 'max_tokens',
    isForeign: () => false,
    decodeReply,
    leavesOut: () => false,
    inspectReply,
    streamDecoder,
    notable,
    classify,
  };
}
