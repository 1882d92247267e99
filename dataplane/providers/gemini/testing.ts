// What the tests of this provider share: a target.
import { aModel, aProvider } from '#core/snapshot/testing.ts';
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
    model: aModel('public', { upstreamName }),
    provider: {
      ...aProvider('google'),
      connection: { type: 'Gemini', baseURL, ...(vertex && { vertex }) },
      parameters: { dropUnsupported, set: {}, drop: [] },
    },
  };
}
