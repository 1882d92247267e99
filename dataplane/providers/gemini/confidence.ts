// How sure a model is of its answer: log probabilities, asked for in a body that did not, and taken out of the answer again.
import { isRecord } from '#core/json/record.ts';
import type { Confidence } from '../provider.ts';
import { recordOf } from '../wire.ts';
import { abilitiesOf } from './models.ts';

const isAsked: ReadonlyMap<string, string> = new Map();

/** At Vertex AI alone, and of the models that have them: the others refuse the request. */
export const confidence: Confidence = {
  asking(body, { upstreamName }) {
    if (!abilitiesOf(upstreamName).logprobs) return undefined;
    const field = body.has('generation_config') ? 'generation_config' : 'generationConfig';
    const { response_logprobs: snake, responseLogprobs = snake, ...config } = recordOf(body.get(field));
    return responseLogprobs === true ? isAsked : new Map([[field, JSON.stringify({ ...config, responseLogprobs: true })]]);
  },
  untold,
};

function untold(json: string): string {
  if (!json.includes('"logprobsResult"')) return json;
  const body: unknown = JSON.parse(json);
  if (!isRecord(body) || !Array.isArray(body.candidates)) return json;
  return JSON.stringify({ ...body, candidates: body.candidates.map(withoutLogprobs) });
}

function withoutLogprobs(candidate: unknown): unknown {
  if (!isRecord(candidate)) return candidate;
  const { logprobsResult: _asked, ...rest } = candidate;
  return rest;
}
