// What the tests of this provider share: a target, and a request to start from.
import type { ChatRequest } from '#core/chat/request.ts';
import { millis } from '#core/units.ts';
import type { GeminiConnection, GeminiTarget } from './target.ts';

type TargetChoice = {
  readonly upstreamName?: string;
  readonly vertex?: GeminiConnection['vertex'];
  readonly baseURL?: string;
  readonly dropUnsupported?: boolean;
  readonly credential?: string;
};

export const VERTEX = { project: 'p', location: 'eu' };

export function targetOf(choice: TargetChoice = {}): GeminiTarget {
  const { upstreamName = 'gemini-3.8-flash', vertex, baseURL = 'https://google.test', dropUnsupported = true } = choice;
  return {
    ...(choice.credential !== undefined && { credential: choice.credential }),
    model: { name: 'public', upstreamName, aliases: [], capabilities: ['Chat'], tier: 'Standard' },
    provider: {
      id: 'llm/google',
      namespace: 'llm',
      name: 'google',
      connection: { type: 'Gemini', baseURL, ...(vertex && { vertex }) },
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

export function requestOf(fields: Partial<ChatRequest> = {}): ChatRequest {
  return {
    dialect: 'openai-chat',
    model: 'public',
    messages: [{ role: 'user', content: [{ kind: 'text', text: 'Hi' }] }],
    tools: [],
    sampling: {},
    stop: [],
    stream: false,
    extra: {},
    ...fields,
  };
}
