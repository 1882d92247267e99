// CountTokens: the request that would be sent goes in as a whole, and one number comes out.
import { isRecord } from '#core/json/record.ts';
import type { TokenCount } from '../provider.ts';

/** Models ask for the limit of an answer that they will not give. */
const LIMIT = 'max_tokens';

export const tokenCount: TokenCount = {
  body(request) {
    const body = JSON.stringify(LIMIT in request ? request : { ...request, [LIMIT]: 1 });
    return { input: { invokeModel: { body: Buffer.from(body).toString('base64') } } };
  },
  reply: body => (isRecord(body) && Number.isSafeInteger(body.inputTokens) ? { input_tokens: body.inputTokens } : undefined),
};
