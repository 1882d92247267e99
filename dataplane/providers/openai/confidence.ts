// How sure a model is of its answer, in this dialect: log probabilities of tokens, asked for in a body that did not, and taken out of the
// answer again.
import { isRecord } from '#core/json/record.ts';
import type { Confidence } from '../provider.ts';
import type { Profile } from './profile.ts';

const ask: ReadonlyMap<string, string> = new Map([['logprobs', 'true']]);
const isAsked: ReadonlyMap<string, string> = new Map();

export const confidenceOf = ({ modelTraits }: Profile): Confidence => ({
  asking(body, model) {
    if (!modelTraits(model).samplesFreely) return undefined;
    return body.get('logprobs') === true ? isAsked : ask;
  },
  untold,
});

/** null is what servers of this dialect say to who did not ask. */
function untold(json: string): string {
  if (!json.includes('"logprobs"')) return json;
  const body: unknown = JSON.parse(json);
  if (!isRecord(body) || !Array.isArray(body.choices)) return json;
  const choices = body.choices.map(choice => (isRecord(choice) && 'logprobs' in choice ? { ...choice, logprobs: null } : choice));
  return JSON.stringify({ ...body, choices });
}
