// What a route and a model name settle about its backends, whatever the request and the moment: which are live, in which order of
// priority, what they lack. Worked out once for each route and name of a snapshot, as plans are made for every request.
import {
  type BackendEntry,
  DEFAULT_CAPABILITIES,
  type ModelEntry,
  type ProviderEntry,
  type RouteEntry,
  type Snapshot,
} from '../snapshot/snapshot.ts';
import type { Candidate } from './candidate.ts';
import { hashText } from './hash.ts';
import { NEEDED, type Needed } from './needs.ts';

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
  /** From when it may be tried again, monotonic milliseconds, where that is known. */
  readonly until?: number;
};

/** `none`: backends marked `downgrade` are behind all others, where the route allows them at all; `only`: all others are left out. */
export type Downgrades = 'none' | 'only';

export type Backend = {
  readonly candidate: Candidate;
  /** 32 bits of the backend, in every process the same. */
  readonly hash: number;
  /** Bits of `NEEDED`, by place. */
  readonly lacks: number;
  /** Tokens; Infinity: not known. */
  readonly window: number;
};

export type Backends = {
  /** Of equal priority, in order. */
  readonly groups: readonly (readonly Backend[])[];
  /** From this group on they are downgrades, and there are others before them. */
  readonly downgradesFrom: number;
  readonly excluded: readonly Excluded[];
  /** What one of them lacks: nothing else of a request is looked at. */
  readonly lackable: readonly Needed[];
  /** The smallest of all windows. */
  readonly window: number;
};

/** Live backends of the route for the model that was asked for. */
export function backendsOf(snapshot: Snapshot, route: RouteEntry, modelRequested: string, downgrades: Downgrades): Backends {
  let known = cache.get(route);
  if (known?.snapshot !== snapshot) {
    known = { snapshot, asksModel: route.backends.some(b => b.model === undefined), none: new Map(), only: new Map() };
    cache.set(route, known);
  }
  const byModel = known[downgrades];
  const name = known.asksModel ? modelRequested : '';
  const found = byModel.get(name);
  if (found) return found;
  const backends = settle(snapshot, route, modelRequested, downgrades);
  // A route for a pattern takes whatever name a client makes up.
  if (byModel.size >= MAX_MODELS) byModel.clear();
  byModel.set(name, backends);
  return backends;
}

type Known = {
  readonly snapshot: Snapshot;
  /** Whether a backend serves whatever model was asked for. */
  readonly asksModel: boolean;
} & Readonly<Record<Downgrades, Map<string, Backends>>>;

/** Lives as long as the snapshots do. */
const cache = new WeakMap<RouteEntry, Known>();
const MAX_MODELS = 100;

/** The model of a provider by its public name or an alias. */
export function modelOf(provider: ProviderEntry, name: string): ModelEntry | undefined {
  return provider.models.find(m => m.name === name) ?? provider.models.find(m => m.aliases.includes(name));
}

/** Who may answer for a route at all, as `provider/upstream model`, sorted: the same however its backends are ranked, resting or weighted. */
export function answerersOf({ providers }: Pick<Snapshot, 'providers'>, route: RouteEntry, modelRequested: string): string[] {
  const names = route.backends.map(({ provider: id, model }) => {
    const provider = providers[id];
    return `${id}/${(provider && modelOf(provider, model ?? modelRequested))?.upstreamName ?? ''}`;
  });
  return [...new Set(names)].sort();
}

function settle(snapshot: Snapshot, route: RouteEntry, modelRequested: string, downgrades: Downgrades): Backends {
  const places = new Map<number, Candidate[]>();
  const excluded: Excluded[] = [];
  for (const backend of route.backends) {
    const found = candidateOf(snapshot, route, backend, modelRequested, downgrades);
    if ('reason' in found) excluded.push(found);
    else {
      const place = placeOf(backend, found);
      const group = places.get(place);
      if (group) group.push(found);
      else places.set(place, [found]);
    }
  }
  const inOrder = [...places].sort(([a], [b]) => a - b);
  const someoneSees = inOrder.some(([, group]) => group.some(c => c.model.capabilities.includes('Vision')));
  const groups = inOrder.map(([, group]) => group.map(candidate => backendOf(candidate, someoneSees)));
  const all = groups.flat();
  return {
    groups,
    downgradesFrom: downgrades === 'only' ? groups.length : inOrder.filter(([place]) => place < DOWNGRADE).length,
    excluded,
    lackable: NEEDED.filter((_, bit) => all.some(({ lacks }) => lacks & (1 << bit))),
    window: Math.min(...all.map(({ window }) => window)),
  };
}

const TIERS = ['Frontier', 'Standard', 'Small'] satisfies readonly ModelEntry['tier'][];

/** More than any priority. */
const DOWNGRADE = 1000;

/** Sorts by priority; downgrades behind all others, and among themselves the larger models first. */
const placeOf = ({ downgrade, priority }: BackendEntry, { model }: Candidate): number =>
  priority + (downgrade ? DOWNGRADE * (TIERS.indexOf(model.tier) + 1) : 0);

function backendOf(candidate: Candidate, someoneSees: boolean): Backend {
  const { backend, provider, model } = candidate;
  let lacks = 0;
  for (const [bit, capability] of NEEDED.entries()) if (isLacking(model, capability, someoneSees)) lacks |= 1 << bit;
  return {
    candidate,
    hash: hashText(`${backend} ${provider.id} ${model.upstreamName}`),
    lacks,
    window: model.contextWindow ?? Number.POSITIVE_INFINITY,
  };
}

/** The default list says nothing about images: they go to such a model only where no other says that it takes them. */
function isLacking({ capabilities }: ModelEntry, capability: Needed, someoneSees: boolean): boolean {
  if (capabilities.includes(capability)) return false;
  return capability !== 'Vision' || someoneSees || !isDefault(capabilities);
}

const isDefault = (capabilities: ModelEntry['capabilities']): boolean =>
  capabilities.length === DEFAULT_CAPABILITIES.length && DEFAULT_CAPABILITIES.every(c => capabilities.includes(c));

const LEFT_OUT: Readonly<Record<Downgrades, string>> = {
  none: 'a downgrade is used only where allowDowngrade or a spent budget says so',
  only: 'a spent budget of the key leaves downgrades only',
};

function candidateOf(
  snapshot: Snapshot,
  route: RouteEntry,
  backend: BackendEntry,
  modelRequested: string,
  downgrades: Downgrades,
): Candidate | Excluded {
  const out = (reason: string, cause: ExcludedCause = 'not-live'): Excluded => ({ backend: backend.name, reason, cause });
  const provider = snapshot.providers[backend.provider];
  if (!provider) return out(`provider ${backend.provider} is not live`);
  const isWanted = downgrades === 'only' ? backend.downgrade : !backend.downgrade || route.fallback.allowDowngrade;
  if (!isWanted) return out(LEFT_OUT[downgrades], 'downgrade');
  const name = backend.model ?? modelRequested;
  const model = modelOf(provider, name);
  if (!model)
    return out(`provider ${provider.id} has no model ${name}`, backend.model === undefined ? 'unknown-model' : 'not-live');
  if (!model.price && route.onUnknownPrice === 'Deny')
    return out(`the price of ${model.name} is not known, and onUnknownPrice is Deny`, 'unknown-price');
  return { backend: backend.name, provider, model, priority: backend.priority, weight: backend.weight };
}
