// Where a request goes, seen from this provider.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Target } from '../provider.ts';

export type GeminiConnection = Extract<Connection, { readonly type: 'Gemini' }>;
export type GeminiTarget = Target<GeminiConnection>;
