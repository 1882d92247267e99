// Converse and ConverseStream: one form for the models of all makers.
import { anthropic } from '../anthropic/index.ts';
import type { OutputAsked, Provider, RequestFields } from '../provider.ts';
import { recordOf } from '../wire.ts';
import { addressOf } from './address.ts';
import { authorize } from './authorize.ts';
import { decodeReply, inspectReply, leavesOut } from './decode-reply.ts';
import { streamDecoder } from './decode-stream.ts';
import { encode } from './encode.ts';
import { classify } from './errors.ts';
import { converseFraming } from './framing.ts';
import type { BedrockConnection } from './target.ts';

const noEdits: ReadonlyMap<string, string | null> = new Map();

function outputAsked(body: RequestFields): OutputAsked {
  const { maxTokens } = recordOf(body.get('inferenceConfig'));
  return Number.isSafeInteger(maxTokens) && (maxTokens as number) > 0
    ? { maxTokens: maxTokens as number, choices: 1 }
    : { choices: 1 };
}

export const converse: Provider<BedrockConnection> = {
  dialect: 'bedrock-converse',
  tokenizer: 'other',
  modelInPath: true,
  framing: converseFraming,
  address: addressOf('converse', 'converse-stream'),
  authorize,
  encode,
  // Usage is in every stream without being asked for.
  passthroughEdits: () => noEdits,
  outputAsked,
  outputLimitField: () => 'inferenceConfig.maxTokens',
  // The same marks as in Anthropic's dialect.
  isForeign: anthropic.isForeign,
  decodeReply,
  leavesOut,
  inspectReply,
  streamDecoder,
  // Frames have names (framing.ts): all but those of content.
  notable: /^event: (?!contentBlock(?:Start|Delta|Stop)$)/m,
  classify,
};
