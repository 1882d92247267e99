// What the tests of this provider share: a target.
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import type { BedrockTarget } from './target.ts';

type TargetChoice = {
  readonly upstreamName?: string;
  readonly name?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly dropUnsupported?: boolean;
  readonly credential?: string;
};

export const NOVA = 'us.amazon.nova-2-lite-v1:0';
export const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
export const LLAMA = 'us.meta.llama4-maverick-17b-instruct-v1:0';
export const MISTRAL = 'mistral.mistral-large-2407-v1:0';
export const GPT = 'openai.gpt-oss-120b-1:0';

export function targetOf(choice: TargetChoice = {}): BedrockTarget {
  const { upstreamName = NOVA, name = 'm', region = 'us-east-1', endpoint, dropUnsupported = true, credential } = choice;
  return {
    credential,
    model: aModel(name, { upstreamName }),
    provider: {
      ...aProvider('aws'),
      connection: { type: 'Bedrock', region, ...(endpoint && { endpoint }) },
      parameters: { dropUnsupported, set: {}, drop: [] },
    },
  };
}
