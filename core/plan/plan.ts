// The plan of a request: which backends may be tried, in which order, and why others may not. Pure: any plan can be made again
// from the snapshot, the request's facts and the random number that went in.
import type { BackendEntry, ModelEntry, ProviderEntry, ProviderType, RouteEntry, Snapshot } from '../snapshot/snapshot.ts';
import type { Candidate } from './candidate.ts';
import { strategies } from './strategies/index.ts';
import type { StrategyContext } from './strategies/strategy.ts';

/** Why a backend is left out, for programs. */
export type ExcludedCause =
  /** Of the configuration. */
  | 'not-live'
  | 'unknown-model'
  | 'unknown-price'
  | 'downgrade'
  /** Of the moment: it may be back soon. */
  | 'circuit-open'
  | 'no-engine'
  /** `fallback.on` has no CircuitOpen, and all backends before it are left out for that. */
  | 'fallback-not-allowed'
  /** Of this request. */
  | 'lacks-capability'
  | 'context-window'
  | 'too-dear';

export type Excluded = {
  readonly backend: string;
  readonly reason: string;
  /** What a client is told when every backend is left out for the same cause. */
  readonly cause: ExcludedCause;
  /** From when it may be tried again, epoch milliseconds, where that is known. */
  readonly until?: number;
};

export type Plan = {
  /** Absent for a direct call. */
  readonly route?: RouteEntry;
  /** In the order to try; the first of them takes the request. */
  readonly candidates: readonly Candidate[];
  readonly excluded: readonly Excluded[];
};

/** `none`: backends marked `downgrade` are left out; `only`: all others are. */
export type Downgrades = 'none' | 'only';

/** Types that have an adapter: `providers/index.ts` of the data plane hands in its table's keys. */
export type Served = ReadonlySet<ProviderType>;

export function planRoute(
  snapshot: Snapshot,
  served: Served,
  route: RouteEntry,
  modelRequested: string,
  context: StrategyContext,
  downgrades: Downgrades = 'none',
): Plan {
  const candidates: Candidate[] = [];
  const excluded: Excluded[] = [];
  for (const backend of route.backends) {
    const found = candidateOf(snapshot, served, route, backend, modelRequested, downgrades);
    if ('reason' in found) excluded.push(found);
    else candidates.push(found);
  }
  return { route, candidates: inOrder(candidates, route, context), excluded };
}

/** A request for `<provider>/<model>` that no route takes. */
export function planDirect(provider: ProviderEntry, model: ModelEntry): Plan {
  return { candidates: [{ backend: provider.name, provider, model, priority: 0, weight: 1 }], excluded: [] };
}

/** The model of a provider by its public name or an alias. */
export function modelOf(provider: ProviderEntry, name: string): ModelEntry | undefined {
  return provider.models.find(m => m.name === name) ?? provider.models.find(m => m.aliases.includes(name));
}

const LEFT_OUT: Readonly<Record<Downgrades, string>> = {
  none: 'a downgrade is used only where allowDowngrade or a spent budget says so',
  only: 'a spent budget of the key leaves downgrades only',
};

function candidateOf(
  snapshot: Snapshot,
  served: Served,
  route: RouteEntry,
  backend: BackendEntry,
  modelRequested: string,
  downgrades: Downgrades,
): Candidate | Excluded {
  const out = (reason: string, cause: Excluded['cause'] = 'not-live'): Excluded => ({ backend: backend.name, reason, cause });
  const provider = snapshot.providers[backend.provider];
  if (!provider) return out(`provider ${backend.provider} is not live`);
  if (!served.has(provider.connection.type)) return out(`providers of type ${provider.connection.type} are not served yet`);
  if (backend.downgrade !== (downgrades === 'only')) return out(LEFT_OUT[downgrades]);
  const name = backend.model ?? modelRequested;
  const model = modelOf(provider, name);
  if (!model)
    return out(`provider ${provider.id} has no model ${name}`, backend.model === undefined ? 'unknown-model' : 'not-live');
  if (!model.price && route.onUnknownPrice === 'Deny')
    return out(`the price of ${model.name} is not known, and onUnknownPrice is Deny`, 'unknown-price');
  return { backend: backend.name, provider, model, priority: backend.priority, weight: backend.weight };
}

/** By priority; within one, as the route's strategy says. */
function inOrder(candidates: readonly Candidate[], route: RouteEntry, context: StrategyContext): readonly Candidate[] {
  if (candidates.length < 2) return candidates;
  const strategy = strategies[route.strategy];
  const priorities = [...new Set(candidates.map(c => c.priority))].sort((a, b) => a - b);
  return priorities.flatMap(p =>
    strategy(
      candidates.filter(c => c.priority === p),
      context,
    ),
  );
}
