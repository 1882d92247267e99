// What the tests of this provider share: a target.
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import type { AnthropicTarget } from './target.ts';

type TargetChoice = {
  readonly upstreamName?: string;
  readonly maxOutputTokens?: AnthropicTarget['model']['maxOutputTokens'];
  readonly version?: string;
  readonly baseURL?: string;
  readonly dropUnsupported?: boolean;
  readonly header?: { readonly name: string; readonly prefix: string };
};

export function targetOf(choice: TargetChoice = {}): AnthropicTarget {
  const { upstreamName = 'claude-opus-5', maxOutputTokens, version, baseURL = 'https://api.anthropic.com', header } = choice;
  return {
    credential: 'sk-ant-test',
    model: aModel('claude', { upstreamName, ...(maxOutputTokens && { maxOutputTokens }) }),
    provider: {
      ...aProvider('anthropic'),
      connection: { type: 'Anthropic', baseURL, ...(version && { version }) },
      ...(header && { auth: { credential: 'llm/secret/key', header } }),
      parameters: { dropUnsupported: choice.dropUnsupported ?? true, set: {}, drop: [] },
    },
  };
}
