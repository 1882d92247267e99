// What the tests of this provider share: a target, and a request to start from.
import type { ChatRequest } from '#core/chat/request.ts';
import { millis } from '#core/units.ts';
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
    model: {
      name: 'claude',
      upstreamName,
      aliases: [],
      capabilities: ['Chat'],
      tier: 'Standard',
      ...(maxOutputTokens && { maxOutputTokens }),
    },
    provider: {
      id: 'llm/anthropic',
      namespace: 'llm',
      name: 'anthropic',
      connection: { type: 'Anthropic', baseURL, ...(version && { version }) },
      ...(header && { auth: { credential: 'llm/secret/key', header } }),
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
      parameters: { dropUnsupported: choice.dropUnsupported ?? true, set: {}, drop: [] },
      allowedNamespaces: '*',
    },
  };
}

export function requestOf(fields: Partial<ChatRequest> = {}): ChatRequest {
  return {
    dialect: 'openai-chat',
    model: 'claude',
    messages: [{ role: 'user', content: [{ kind: 'text', text: 'Hi' }] }],
    tools: [],
    sampling: {},
    stop: [],
    stream: false,
    extra: {},
    ...fields,
  };
}
