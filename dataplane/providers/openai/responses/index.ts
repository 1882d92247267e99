// The Responses wire (`/v1/responses`) of OpenAI, Azure, vLLM and others: everything that does not depend on who serves it.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, OutputAsked, Provider, RequestFields, Target } from '../../provider.ts';
import { classify } from '../errors.ts';
import type { Profile } from '../profile.ts';
import { serviceAsked } from '../service.ts';
import { isForeign } from './clean-history.ts';
import { decodeReply, inspectReply, leavesOut } from './decode-reply.ts';
import { notable, streamDecoder } from './decode-stream.ts';
import { encodeResponsesFor } from './encode.ts';
import { keepsOf, telling } from './keeps.ts';
import { toolLimit, toolsAsked } from './tools.ts';

const RESPONSES = '/responses';

const noEdits: ReadonlyMap<string, string | null> = new Map();

function outputAsked(body: RequestFields): OutputAsked {
  const limit = body.get('max_output_tokens');
  return Number.isSafeInteger(limit) && (limit as number) >= 0 ? { maxTokens: limit as number, choices: 1 } : { choices: 1 };
}

/** @param addressOf where a path below the provider's base is, with the headers that prove who asks */
export function responsesWire<C extends Connection>(
  profile: Profile,
  tokenizer: Provider['tokenizer'],
  addressOf: (target: Target<C>, path: string) => Address,
): Provider<C> {
  return {
    dialect: 'openai-responses',
    tokenizer,
    address: target => addressOf(target, RESPONSES),
    encode: encodeResponsesFor(profile),
    passthroughEdits: () => noEdits,
    outputAsked,
    outputLimitField: () => 'max_output_tokens',
    isForeign,
    decodeReply,
    leavesOut,
    inspectReply,
    toolsAsked,
    serviceAsked,
    toolLimit,
    streamDecoder,
    notable,
    telling,
    keeps: keepsOf(addressOf),
    takesTemperature: model => profile.modelTraits(model).samplesFreely,
    classify,
  };
}
