// The Anthropic messages dialect, as clients speak it.
import { limitIn, typedParts } from '../body-fields.ts';
import type { Frontend } from '../frontend.ts';
import { encodeTokenCount, estimateInputTokens } from './count-tokens.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { streamEncoder, TERMINATOR } from './encode-stream.ts';
import { encodeError, encodeStreamError } from './errors.ts';
import { inspect, inspectCount } from './inspect.ts';

export const anthropicMessages: Frontend = {
  dialect: 'anthropic-messages',
  operation: 'Messages',
  fields: {
    instructions: ['system'],
    turns: 'messages',
    spokenTurn: text => ({ role: 'assistant', content: text }),
    tools: ['tools'],
    schema: { in: ['output_config', 'output_format'], mark: '"json_schema"' },
    outputLimit: limitIn('max_tokens'),
    parts: typedParts,
    others: ['max_tokens', 'mcp_servers'],
  },
  inspect,
  decode: decodeRequest,
  encodeReply,
  streamEncoder,
  terminator: TERMINATOR,
  encodeError,
  encodeStreamError,
};

/** `/v1/messages/count_tokens`: a target of this dialect counts itself; for any other the gateway answers with an estimate. */
export const countTokens = {
  inspect: inspectCount,
  estimate: estimateInputTokens,
  encode: encodeTokenCount,
};
