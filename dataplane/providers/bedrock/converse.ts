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
import { serviceAsked } from './service.ts';
import type { BedrockConnection } from './target.ts';
import { toolsAsked } from './tools.ts';

const noEdits: ReadonlyMap<string, string | null> = new Map();

function outputAsked(body: RequestFields): OutputAsked {
  const { maxTokens } = recordOf(body.get('inferenceConfig'));
  return Number.isSafeInteger(maxTokens) && (maxTokens as number) > 0
    ? { maxTokens: maxTokens as number, choices: 1 }
    : { choices: 1 };
}

/** For models that take no thinking back, not even their own. */
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
  isForeign: body => body.includes('"reasoningContent"'),
  decodeReply,
  leavesOut,
  inspectReply,
  toolsAsked,
  serviceAsked,
  streamDecoder,
  // Frames have names (framing.ts): all but those of content, whose start may be that of a tool.
  notable: /^event: (?!contentBlock(?:Delta|Stop)$)/m,
  classify,
};

/** Thinking that nobody signed: another model of Bedrock gave it so, or the client made it up. */
const UNSIGNED_THINKING = /"reasoningText"\s*:\s*\{\s*"text"\s*:\s*"(?:[^"\\]|\\.)*"\s*\}/s;

/** A citation that no model of Anthropic's made here. */
const WEB_CITATION = /"location"\s*:\s*\{\s*"web"/;

/** For Anthropic's: these take back what they signed. What else was signed has the same marks as in their own dialect. */
export const converseOfClaude: Provider<BedrockConnection> = {
  ...converse,
  isForeign: body =>
    anthropic.isForeign(body) ||
    (body.includes('"citationsContent"') && WEB_CITATION.test(body.toString('latin1'))) ||
    (body.includes('"reasoningText"') && UNSIGNED_THINKING.test(body.toString('latin1'))),
};
