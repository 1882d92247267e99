// Which route a request takes. Routes are sorted once by precedence (docs/configuration.md, "Which route, which backend"); the first that
// matches wins. Every refusal has a reason in words, so that `tollgate explain` tells the same story as the data plane.
import type { Operation } from '../chat/dialect.ts';
import type { KeyEntry, RouteEntry, RouteMatch } from '../snapshot/snapshot.ts';

/** What a request shows to the router. */
export type RequestFacts = {
  readonly model: string;
  readonly operation: Operation;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** `metadata` of the body and the tags of the headers. */
  readonly tags: Readonly<Record<string, string>>;
  /** An estimate; read only when a route asks for `minInputTokens`. */
  readonly inputTokens: () => number;
};

/** What of the key decides which routes it sees. */
export type RouteViewer = Pick<KeyEntry, 'namespace' | 'labels' | 'routes'>;

type Rule = { readonly route: RouteEntry; readonly match: RouteMatch };

export type RouteIndex = {
  readonly exact: ReadonlyMap<string, readonly Rule[]>;
  /** Prefix, suffix and model-less matches, best first. */
  readonly patterns: readonly Rule[];
  readonly catchAll: readonly RouteEntry[];
};

export function routeIndex(routes: readonly RouteEntry[]): RouteIndex {
  const rules = routes.flatMap(route => route.match.map(match => ({ route, match }))).sort(byPrecedence);
  const exact = new Map<string, Rule[]>();
  const patterns: Rule[] = [];
  for (const rule of rules) {
    const model = rule.match.model;
    if (model?.type !== 'Exact') patterns.push(rule);
    else if (!exact.get(model.value)?.push(rule)) exact.set(model.value, [rule]);
  }
  return { exact, patterns, catchAll: routes.filter(r => r.catchAll).sort(byAge) };
}

/** The route of a request, or undefined. `model_not_allowed` is not decided here: it is about the key, not the route. */
export function matchRoute(index: RouteIndex, viewer: RouteViewer, facts: RequestFacts): RouteEntry | undefined {
  const first = (rules: readonly Rule[]) =>
    rules.find(r => invisible(r.route, viewer) === undefined && mismatch(r.match, facts) === undefined)?.route;
  return (
    first(index.exact.get(facts.model) ?? []) ??
    first(index.patterns) ??
    index.catchAll.find(r => invisible(r, viewer) === undefined)
  );
}

/** Why a key does not see a route, or undefined. */
export function invisible(route: RouteEntry, viewer: RouteViewer): string | undefined {
  const { allowedKeyNamespaces: allowed } = route;
  if (route.namespace !== viewer.namespace && allowed !== '*' && !allowed.includes(viewer.namespace))
    return `allowedKeys does not admit keys of namespace ${viewer.namespace}`;
  const tenantLabel = missingLabel(route.tenants, viewer.labels);
  if (tenantLabel) return `tenants asks for a key with label ${tenantLabel}`;
  const routeLabel = missingLabel(viewer.routes, route.labels);
  if (routeLabel) return `the key asks for routes with label ${routeLabel}`;
  return undefined;
}

/** Why one item of `match` does not hold, or undefined. */
export function mismatch(match: RouteMatch, facts: RequestFacts): string | undefined {
  if (match.model && !textMatches(match.model, facts.model)) return `model is not ${describe(match.model)}`;
  if (match.operations.length > 0 && !match.operations.includes(facts.operation))
    return `operation ${facts.operation} is not in operations`;
  for (const header of match.headers) {
    const value = facts.headers[header.name];
    if (typeof value !== 'string' || !textMatches(header, value)) return `header ${header.name} is not ${describe(header)}`;
  }
  for (const [name, value] of Object.entries(match.tags)) if (facts.tags[name] !== value) return `tag ${name} is not ${value}`;
  if (match.minInputTokens !== undefined && facts.inputTokens() < match.minInputTokens)
    return `the input is estimated at fewer than ${match.minInputTokens} tokens`;
  return undefined;
}

type TextMatch = { readonly type: 'Exact' | 'Prefix' | 'Suffix'; readonly value: string };
const textMatches = ({ type, value }: TextMatch, text: string): boolean =>
  type === 'Exact' ? text === value : type === 'Prefix' ? text.startsWith(value) : text.endsWith(value);
const describe = ({ type, value }: TextMatch): string => (type === 'Exact' ? value : `${type.toLowerCase()} ${value}`);

function missingLabel(
  wanted: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): string | undefined {
  for (const [name, value] of Object.entries(wanted ?? {})) if (labels[name] !== value) return `${name}=${value}`;
  return undefined;
}

/** Best first. Each line is one rule of precedence; the next one only breaks ties. */
function byPrecedence(a: Rule, b: Rule): number {
  const modelLength = (m: RouteMatch) => m.model?.value.length ?? -1;
  return (
    modelLength(b.match) - modelLength(a.match) ||
    b.match.headers.length - a.match.headers.length ||
    Object.keys(b.match.tags).length - Object.keys(a.match.tags).length ||
    Number(b.match.operations.length > 0) - Number(a.match.operations.length > 0) ||
    (b.match.minInputTokens ?? 0) - (a.match.minInputTokens ?? 0) ||
    Number(b.route.tenants !== undefined) - Number(a.route.tenants !== undefined) ||
    byAge(a.route, b.route)
  );
}

/** Older first; objects from files have no age and are equal; then by name. */
function byAge(a: RouteEntry, b: RouteEntry): number {
  return (a.createdAt ?? 0) - (b.createdAt ?? 0) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
