// Groups of deployments with one `model_name`, and the fallbacks between groups, as routes.
import type { Section } from '../findings.ts';
import { type Manifest, manifest, uniqueNames } from '../manifests.ts';
import type { Deployment } from './deployments.ts';
import { type CacheSettings, decimal, type Fallbacks, type Settings, seconds } from './settings.ts';

/** What an LLMRoute takes at most. */
const MAX_BACKENDS = 32;
const MAX_PRIORITY = 31;

type Backend = { readonly name: string; readonly group: string; readonly manifest: Record<string, unknown> };

export function routesOf(deployments: readonly Deployment[], settings: Settings, root: Section): readonly Manifest[] {
  const groups = Map.groupBy(deployments, ({ group }) => group);
  tellOfUnknown(groups, settings, root);
  const name = uniqueNames(200);
  return [...groups].map(([group, own]) => manifest('LLMRoute', name(group), routeOf(group, own, groups, settings, root)));
}

type Groups = ReadonlyMap<string, readonly Deployment[]>;

function routeOf(group: string, own: readonly Deployment[], groups: Groups, settings: Settings, root: Section) {
  const { strategy, latency, aliases, fallbacks, defaultFallbacks, contextWindowFallbacks, contentPolicyFallbacks } = settings;
  const general = fallbacks.get(group) ?? defaultFallbacks.filter(other => other !== group);
  const forLength = contextWindowFallbacks.get(group) ?? [];
  const forContent = contentPolicyFallbacks.get(group) ?? [];
  const backends = backendsOf(group, own, [...new Set([...general, ...forLength, ...forContent])], groups, root);
  const named = (wanted: readonly string[]) =>
    wanted.flatMap(one => backends.flatMap(({ group, name }) => (group === one ? [name] : [])));
  const names = [group, ...[...aliases].flatMap(([alias, target]) => (target === group && !groups.has(alias) ? [alias] : []))];
  return {
    match: names.map(value => ({ model: { value } })),
    ...(own.length > 1 && strategy !== 'Weighted' && { strategy, ...(latency && { latency }) }),
    backends: backends.map(({ manifest }) => manifest),
    ...retriesOf(settings),
    ...fallbackOf(named(forLength), named(forContent), general.length > 0 || own.length > 1),
    ...(own.every(({ embeds }) => !embeds) && cacheOf(settings, groups)),
  };
}

/** A group's own `order` comes first, then the groups to fall back to, one after the other. */
function backendsOf(
  group: string,
  own: readonly Deployment[],
  others: readonly string[],
  groups: Groups,
  root: Section,
): readonly Backend[] {
  const name = uniqueNames();
  const backends: Backend[] = [];
  let priority = 0;
  for (const [from, members] of [[group, own] as const, ...others.map(other => [other, groups.get(other) ?? []] as const)])
    for (const [, level] of [...Map.groupBy(members, ({ order }) => order)].toSorted(([a], [b]) => a - b)) {
      for (const { provider, model, weight } of level)
        backends.push({
          group: from,
          name: name(from === group ? provider() : from),
          manifest: {
            providerRef: { name: provider() },
            model,
            ...(weight !== 1 && { weight }),
            ...(priority > 0 && { priority }),
          },
        });
      priority++;
    }
  const kept = backends.filter(
    (backend, index) => index < MAX_BACKENDS && Number(backend.manifest.priority ?? 0) <= MAX_PRIORITY,
  );
  if (kept.length < backends.length)
    root.say(
      'model_list',
      `the route of ${group} has its first ${kept.length} backends of ${backends.length}: no route has more than ${MAX_BACKENDS}`,
    );
  return kept.map(backend => ({ ...backend, manifest: { name: backend.name, ...withSomeWeight(kept, backend) } }));
}

/** LiteLLM takes weights that are all 0 for equal ones. */
const withSomeWeight = (all: readonly Backend[], { manifest }: Backend) => {
  if (all.some(one => one.manifest.weight !== 0)) return manifest;
  const { weight, ...rest } = manifest;
  return rest;
};

function retriesOf({ retries, backoffSeconds }: Settings) {
  const base = backoffSeconds ? seconds(backoffSeconds) : undefined;
  const backoff = base && backoffSeconds ? { base, ...(backoffSeconds > 5 && { max: base }) } : undefined;
  const said = { ...(retries !== undefined && { attempts: Math.floor(retries) }), ...(backoff && { backoff }) };
  return Object.keys(said).length > 0 ? { retries: said } : {};
}

/** Where a group has fallbacks for one kind of failure only, other failures stay with it. */
function fallbackOf(forLength: readonly string[], forContent: readonly string[], hasOthers: boolean) {
  if (forLength.length === 0 && forContent.length === 0) return {};
  const on = [
    ...(hasOthers ? ['Exhausted', 'CircuitOpen', 'RateLimited', 'Saturated', 'Timeout'] : []),
    ...(hasOthers || forLength.length > 0 ? ['ContextLengthExceeded'] : []),
    ...(forContent.length > 0 ? ['ContentFiltered'] : []),
  ];
  return {
    fallback: {
      on,
      ...(forContent.length > 0 && { contentFiltered: forContent }),
      ...(forLength.length > 0 && { contextLengthExceeded: forLength }),
    },
  };
}

const embedderOf = ({ embeddingModel = '' }: CacheSettings, groups: Groups): Deployment | undefined =>
  groups.get(embeddingModel)?.find(({ canEmbed }) => canEmbed);

/** LiteLLM's cache looks at no temperature. */
function cacheOf({ cache }: Settings, groups: Groups) {
  if (!cache) return {};
  const embedder = embedderOf(cache, groups);
  return {
    cache: {
      mode: cache.semantic ? 'Semantic' : 'Exact',
      ...(cache.ttlSeconds && { ttl: seconds(cache.ttlSeconds) }),
      onlyDeterministic: false,
      ...(cache.semantic &&
        embedder && {
          embedding: { providerRef: { name: embedder.provider() }, model: embedder.model },
          ...(cache.similarity !== undefined && { similarity: decimal(cache.similarity) }),
        }),
    },
  };
}

function tellOfUnknown(
  groups: Groups,
  { fallbacks, contextWindowFallbacks, contentPolicyFallbacks, defaultFallbacks, aliases, cache }: Settings,
  root: Section,
): void {
  const lists: readonly (readonly [string, Fallbacks])[] = [
    ['fallbacks', fallbacks],
    ['context_window_fallbacks', contextWindowFallbacks],
    ['content_policy_fallbacks', contentPolicyFallbacks],
    ['default_fallbacks', new Map([['', defaultFallbacks]])],
    ['model_group_alias', new Map([...aliases].map(([, target]) => [target, []]))],
  ];
  for (const [list, entries] of lists)
    for (const unknown of [...entries]
      .flatMap(([group, others]) => [group, ...others])
      .filter(one => one !== '' && !groups.has(one)))
      sayOf(root, list, `${unknown} is no model_name of a deployment that was carried over: left out of ${list}`);
  for (const alias of aliases.keys())
    if (groups.has(alias)) sayOf(root, 'model_group_alias', `${alias} is a model_name as well: it stays that model`);
  if (contextWindowFallbacks.size + contentPolicyFallbacks.size > 0 && fallbacks.size + defaultFallbacks.length > 0)
    sayOf(
      root,
      'context_window_fallbacks',
      'where a model has general fallbacks too, those for long prompts and filtered content are also the last resort of other failures',
    );
  if (cache?.semantic && !embedderOf(cache, groups))
    cache.at.say(
      undefined,
      'embeddings are made by the built-in embedder, with its own default of similarity: thresholds of other embedders do not compare',
    );
}

/** At the field, in whichever of the two sections has it. */
function sayOf(root: Section, field: string, message: string): void {
  const section = ['router_settings', 'litellm_settings']
    .map(name => root.section(name))
    .find(one => one.names().includes(field));
  (section ?? root).say(section ? field : undefined, message);
}
