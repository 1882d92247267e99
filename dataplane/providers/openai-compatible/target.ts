// Where a request goes, seen from this provider.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Target } from '../provider.ts';

export type CompatibleConnection = Extract<Connection, { readonly type: 'OpenAICompatible' }>;
export type CompatibleTarget = Target<CompatibleConnection>;
