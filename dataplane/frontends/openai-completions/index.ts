// The OpenAI completions dialect of 2020, as clients speak it: a text that the model goes on with.
import { limitIn, typedParts } from '../body-fields.ts';
import type { Frontend } from '../frontend.ts';
import { openAIChat } from '../openai-chat/index.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply, streamEncoder } from './encode.ts';
import { inspect } from './inspect.ts';

export const openAICompletions: Frontend = {
  dialect: 'openai-completions',
  operation: 'Completions',
  fields: {
    instructions: [],
    turns: 'prompt',
    tools: [],
    schema: { in: [], mark: '"json_schema"' },
    outputLimit: limitIn('max_tokens'),
    parts: typedParts,
    others: ['suffix', 'max_tokens', 'n', 'best_of', 'stream_options'],
  },
  inspect,
  decode: decodeRequest,
  encodeReply,
  streamEncoder,
  terminator: openAIChat.terminator,
  encodeError: openAIChat.encodeError,
  encodeStreamError: openAIChat.encodeStreamError,
};
