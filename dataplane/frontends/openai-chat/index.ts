// The OpenAI chat completions dialect, as clients speak it.
import type { Frontend } from '../frontend.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { streamEncoder, TERMINATOR } from './encode-stream.ts';
import { encodeError, encodeStreamError } from './errors.ts';
import { inspect } from './inspect.ts';

export const openAIChat: Frontend = {
  dialect: 'openai-chat',
  operation: 'Chat',
  inspect,
  decode: decodeRequest,
  encodeReply,
  streamEncoder,
  terminator: TERMINATOR,
  encodeError,
  encodeStreamError,
};
