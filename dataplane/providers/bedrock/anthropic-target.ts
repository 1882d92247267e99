// A Claude model at Bedrock as the provider of Anthropic sees its own: what it can do is told from its name.
import type { AnthropicTarget } from '../anthropic/index.ts';
import { type BedrockTarget, tellingName } from './target.ts';

/** The version that takes every field: what a model does not take is known of the model. */
const VERSION = '2023-06-01';

export const asAnthropic = ({ model, provider, credential }: BedrockTarget): AnthropicTarget => ({
  model: { ...model, upstreamName: tellingName(model) },
  provider: { ...provider, connection: { type: 'Anthropic', baseURL: '', version: VERSION } },
  credential,
});
