// The OpenAI chat completions dialect, as clients speak it.
import { limitIn, typedParts } from '../body-fields.ts';
import type { Frontend } from '../frontend.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { streamEncoder, TERMINATOR } from './encode-stream.ts';
import { encodeError, encodeStreamError } from './errors.ts';
import { inspect } from './inspect.ts';

export { cacheMarkOf, readAudio } from './decode-parts.ts';
export { usageOf } from './encode-reply.ts';

export const openAIChat: Frontend = {
  dialect: 'openai-chat',
  operation: 'Chat',
  fields: {
    instructions: [],
    turns: 'messages',
    spokenTurn: text => ({ role: 'assistant', content: text }),
    tools: ['tools', 'functions'],
    schema: { in: ['response_format'], mark: '"json_schema"' },
    outputLimit: limitIn('max_completion_tokens', 'max_tokens'),
    parts: typedParts,
    others: ['max_completion_tokens', 'max_tokens', 'n', 'stream_options', 'web_search_options', 'search_parameters', 'plugins'],
  },
  inspect,
  decode: decodeRequest,
  encodeReply,
  streamEncoder,
  terminator: TERMINATOR,
  encodeError,
  encodeStreamError,
};
