// A model at a provider that a route names besides its backends: a judge, an embedder.
import type { Path } from '../resources/read.ts';
import type { RouteSpec } from '../resources/route.ts';
import type { ModelAt } from '../snapshot/snapshot.ts';

/** Undefined for one that cannot be used, after saying so about `path`. */
export type TargetOf = (
  ref: RouteSpec['backends'][number]['providerRef'],
  model: string,
  path: Path,
  what?: 'embeddings',
) => ModelAt | undefined;
