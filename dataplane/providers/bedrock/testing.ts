// What the tests of this provider share: a target.
import { millis } from '#core/units.ts';
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
    model: { name, upstreamName, aliases: [], capabilities: ['Chat'], tier: 'Standard' },
    provider: {
      id: 'llm/aws',
      namespace: 'llm',
      name: 'aws',
      connection: { type: 'Bedrock', region, ...(endpoint && { endpoint }) },
      models: [],
      timeouts: { connect: millis(1), firstToken: millis(1), streamIdle: millis(1), request: millis(1) },
      circuitBreaker: {
        consecutiveFailures: 1,
        errorRate: 1,
        window: millis(1),
        minRequests: 1,
        cooldown: millis(1),
        maxCooldown: millis(1),
        halfOpenProbes: 1,
      },
      parameters: { dropUnsupported, set: {}, drop: [] },
      allowedNamespaces: '*',
    },
  };
}
