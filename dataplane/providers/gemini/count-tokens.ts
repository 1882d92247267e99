// countTokens: at Google's own API contents alone, or a whole request in a field of its own, which names the model once more; at Vertex AI the fields
// of the request themselves.
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { TokenCount } from '../provider.ts';

const NESTED = ['generateContentRequest', 'generate_content_request'] as const;

const reply: TokenCount['reply'] = body => (isRecord(body) && Number.isSafeInteger(body.totalTokens) ? body : undefined);

export const tokenCount = (upstreamName: string): TokenCount => ({
  body(given) {
    const { model: _public, ...request } = requestIn(given);
    if (Object.keys(request).every(name => name === 'contents')) return request;
    const model = upstreamName.includes('/') ? upstreamName : `models/${upstreamName}`;
    return { generateContentRequest: { model, ...request } };
  },
  reply,
});

/** The settings that Vertex knows here; the others change nothing of a count. */
const COUNTED = ['contents', 'systemInstruction', 'system_instruction', 'tools', 'generationConfig', 'generation_config'];

export const vertexTokenCount: TokenCount = {
  body: given => Object.fromEntries(Object.entries(requestIn(given)).filter(([name]) => COUNTED.includes(name))),
  reply,
};

const requestIn = (given: JsonRecord): JsonRecord => NESTED.map(name => given[name]).find(isRecord) ?? given;
