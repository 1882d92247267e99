// Azure's variant of the OpenAI wire: deployments in the path, the api-key header, and the results of its content filter with every part.

import { azureError, azureTrouble } from './azure-errors.ts';
import { openai, openaiFrames, openaiStyle, openaiWhole, type Style } from './openai.ts';
import { bearer, type Frame, header, type Refusal, type Reply, type Wire } from './wire.ts';

export const azure: Wire = {
  ...openai,
  name: 'azure',
  credential: headers => header(headers, 'api-key') ?? bearer(headers),
  missingCredential:
    'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
  // In a deployment's path the model's name may be left out of the body, and is ignored where it is given.
  read: (body, headers, deployment) =>
    openai.read(deployment === undefined || !isObject(body) ? body : { ...body, model: deployment }, headers),
  trouble: azureTrouble,
  refuse: (status, message) => azureError(status, message, String(status)),
  whole: reply => ({ ...openaiWhole(reply, style), prompt_filter_results: promptFilterResults }),
  frames: azureFrames,
  headers: digest => ({
    'apim-request-id': digest.slice(0, 32),
    'x-ms-region': 'Sweden Central',
    'x-ratelimit-remaining-requests': '499',
    'x-ratelimit-remaining-tokens': '29000',
  }),
};

/** `YYYY-MM-DD`, perhaps with `-preview`: what Azure calls a version; without one there is no such resource. */
export function azureVersionRefusal(version: string | null): Refusal | undefined {
  return version !== null && /^\d{4}-\d{2}-\d{2}(-preview)?$/.test(version)
    ? undefined
    : azureError(404, 'Resource not found', '404');
}

const isObject = (body: unknown): body is Record<string, unknown> =>
  typeof body === 'object' && body !== null && !Array.isArray(body);

const passed = { filtered: false, severity: 'safe' };
const filterResults = { hate: passed, self_harm: passed, sexual: passed, violence: passed };
const promptFilterResults = [
  { prompt_index: 0, content_filter_results: { ...filterResults, jailbreak: { filtered: false, detected: false } } },
];

const style: Style = {
  ...openaiStyle,
  fingerprint: null,
  envelope: () => ({}),
  choice: answer => ({
    content_filter_results:
      answer.finish === 'filtered' ? { ...filterResults, violence: { filtered: true, severity: 'high' } } : filterResults,
  }),
  frameChoice: kind => ({ content_filter_results: kind === 'content' ? filterResults : {} }),
  frameEnvelope: kind => ({ system_fingerprint: null, ...(kind !== 'usage' && { usage: null }) }),
};

/** The filter's verdict on the prompt comes first, in a frame without id, model or choices. */
function* azureFrames(reply: Reply): Iterable<Frame> {
  yield {
    kind: 'bare',
    tokens: 0,
    data: JSON.stringify({ choices: [], created: 0, id: '', model: '', object: '', prompt_filter_results: promptFilterResults }),
  };
  yield* openaiFrames(reply, style);
}
