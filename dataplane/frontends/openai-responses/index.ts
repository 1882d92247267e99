// The OpenAI Responses dialect, as clients speak it.
import { limitIn, typedParts } from '../body-fields.ts';
import type { Frontend } from '../frontend.ts';
import { openAIChat } from '../openai-chat/index.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { encodeStreamError, streamEncoder } from './encode-stream.ts';
import { inspect } from './inspect.ts';

export { STORED_METHODS, type StoredCall, storedCallOf } from './stored-call.ts';

export const openAIResponses: Frontend = {
  dialect: 'openai-responses',
  operation: 'Responses',
  fields: {
    instructions: ['instructions'],
    turns: 'input',
    tools: ['tools'],
    schema: { in: ['text'], mark: '"json_schema"' },
    outputLimit: limitIn('max_output_tokens'),
    parts: typedParts,
    others: ['max_output_tokens', 'max_tool_calls', 'previous_response_id', 'conversation', 'prompt', 'store', 'background'],
  },
  inspect,
  decode: decodeRequest,
  encodeReply,
  streamEncoder,
  // The last event of a good stream has the whole response in it: there is none that could be put behind another's.
  terminator: '',
  encodeError: openAIChat.encodeError,
  encodeStreamError,
};
