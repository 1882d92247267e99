// Where a request goes, seen from this provider.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Target } from '../provider.ts';

export type AnthropicConnection = Extract<Connection, { readonly type: 'Anthropic' }>;
export type AnthropicTarget = Target<AnthropicConnection>;
