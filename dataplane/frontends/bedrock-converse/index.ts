// The dialect of Bedrock's Converse and ConverseStream, as clients speak it. The model is in the path, so a frontend is made for each request.
import type { Frontend } from '../frontend.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { streamEncoder } from './encode-stream.ts';
import { encodeError, encodeStreamError } from './errors.ts';
import { fields } from './fields.ts';
import { inspect } from './inspect.ts';
import type { Asked } from './paths.ts';

export const bedrockConverse = (asked: Asked): Frontend => ({
  dialect: 'bedrock-converse',
  operation: 'Converse',
  fields,
  inspect: body => inspect(body, asked),
  decode: body => decodeRequest(body, asked),
  encodeReply,
  streamEncoder,
  // A stream that is over just ends.
  terminator: '',
  encodeError,
  encodeStreamError,
});

export { eventStream } from './framing.ts';
export { askedOf as converseAsked } from './paths.ts';
