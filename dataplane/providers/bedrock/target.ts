// Where a request goes, seen from this provider, and whose model it is.
import type { Connection, ModelEntry } from '#core/snapshot/snapshot.ts';
import type { Target } from '../provider.ts';

export type BedrockConnection = Extract<Connection, { readonly type: 'Bedrock' }>;
export type BedrockTarget = Target<BedrockConnection>;

/** `us.`, `eu.`, `apac.`, `us-gov.`, `global.`: of an inference profile, which spreads requests over regions. Then comes a maker, and no version (`openai.gpt-5.4`). */
const GEOGRAPHY = /^[a-z]{2,6}(?:-gov)?\.(?=[a-z0-9]+\.[a-z])/;

/** Made by the customer: the model behind it is not in its name, and calls that take a model alone do not take it. */
export const isProfileOfOnesOwn = ({ upstreamName }: ModelEntry): boolean =>
  /^arn:.*:(?:endpoint|application-inference-profile|provisioned-model|default-prompt-router|prompt-router|imported-model|custom-model-deployment)\//.test(
    upstreamName,
  );

/** The name that tells what a model can do, such as `anthropic.claude-sonnet-4-5-20250929-v1:0`: without a region, and of a profile of one's own the public one. */
export function tellingName(model: ModelEntry): string {
  if (isProfileOfOnesOwn(model)) return model.name;
  const { upstreamName } = model;
  const id = upstreamName.startsWith('arn:') ? upstreamName.slice(upstreamName.lastIndexOf('/') + 1) : upstreamName;
  return id.replace(GEOGRAPHY, '');
}
