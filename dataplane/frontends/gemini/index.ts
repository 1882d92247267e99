// The dialect of Google's Gemini API and of Vertex AI, as clients speak it. Model and method are in the path, so a frontend is made for each
// request.
import { type Tokens, tokens } from '#core/units.ts';
import type { Frontend } from '../frontend.ts';
import { decodeCount, decodeRequest } from './decode-request.ts';
import { encodeReply } from './encode-reply.ts';
import { streamEncoder } from './encode-stream.ts';
import { encodeError, encodeStreamError } from './errors.ts';
import { fields } from './fields.ts';
import { type Asked, inspect, inspectCount } from './inspect.ts';

const shared = {
  dialect: 'gemini',
  operation: 'GenerateContent',
  fields,
  encodeReply,
  streamEncoder,
  // A stream that is over just ends.
  terminator: '',
  encodeError,
  encodeStreamError,
} as const satisfies Partial<Frontend>;

export const gemini = (asked: Asked): Frontend => ({
  ...shared,
  inspect: body => inspect(body, asked),
  decode: body => decodeRequest(body, asked),
});

export const geminiCount = (asked: Asked): Frontend => ({
  ...shared,
  inspect: body => inspectCount(body, asked),
  decode: body => decodeCount(body, asked),
});

/** The answer of `:countTokens`. */
export const encodeTokenCount = (count: Tokens): string => JSON.stringify({ totalTokens: tokens(count) });

export { jsonList } from './json-list.ts';
export { askedOf } from './paths.ts';
