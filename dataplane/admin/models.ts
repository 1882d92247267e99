// GET /v1/models, /v1beta/models and /model/info: what the caller's key may use.
import { type Parsed, refuse } from '#core/failure.ts';
import { nothingKnown } from '#core/plan/context.ts';
import { planRoute } from '#core/plan/plan.ts';
import { invisible } from '#core/plan/route-index.ts';
import type { ModelEntry, Price, ProviderEntry, RouteEntry } from '#core/snapshot/snapshot.ts';
import { authenticate } from '../authenticate.ts';
import { isVisible, type LiveConfig, type LiveKey } from '../config/live.ts';
import type { Page, PageAnswer } from '../http/router.ts';
import type { Ports } from '../ports.ts';

/** A public name and the first backend behind it. */
type Listed = { readonly name: string; readonly provider: ProviderEntry; readonly model: ModelEntry };
type AdminPorts = Pick<Ports, 'config' | 'digest' | 'now'> & {
  readonly isMasterKey: (headers: Parameters<typeof authenticate>[1]) => boolean;
};

/** LiteLLM's constants: clients compare whole objects. */
const CREATED = 1677610602;

export function modelsPage(ports: AdminPorts): Page {
  return ({ headers, path, query }) => {
    const key = query.get('key');
    if (path.startsWith('/v1beta/') || key !== null || headers['x-goog-api-key'] !== undefined)
      return googleModels(ports, key === null ? headers : { 'x-goog-api-key': key, ...headers }, path);
    return withModels(ports, headers, all => {
      const data = all.map(({ name }) => ({ id: name, object: 'model', created: CREATED, owned_by: 'openai' }));
      const wanted = decoded(path.replace(/^\/(v1\/)?models\/?/, ''));
      if (wanted === '') return { status: 200, body: { data, object: 'list' } };
      const one = data.find(m => m.id === wanted);
      return one ? { status: 200, body: one } : refuse('model_not_found', { param: 'model' }).failure;
    });
  };
}

/** As clients of Google's dialect read it. Theirs is `/v1/models` too: they are told by where their key is. */
function googleModels(ports: AdminPorts, headers: Parameters<typeof authenticate>[1], path: string): PageAnswer {
  return withModels(ports, headers, all => {
    const models = all.filter(({ model }) => model.capabilities.includes('Chat')).map(googleModel);
    const wanted = decoded(path.replace(/^\/v1(?:beta)?\/models\/?/, ''));
    if (wanted === '') return { status: 200, body: { models } };
    const one = models.find(({ name }) => name === `models/${wanted}`);
    return one ? { status: 200, body: one } : refuse('model_not_found', { param: 'model' }).failure;
  });
}

const googleModel = ({ name, model }: Listed) => ({
  name: `models/${name}`,
  displayName: name,
  ...(model.contextWindow !== undefined && { inputTokenLimit: model.contextWindow }),
  ...(model.maxOutputTokens !== undefined && { outputTokenLimit: model.maxOutputTokens }),
  supportedGenerationMethods: ['generateContent', 'countTokens'],
});

/** As it is where the escapes are broken: no model has such a name. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function modelInfoPage(ports: AdminPorts): Page {
  return ({ headers }) => withModels(ports, headers, all => ({ status: 200, body: { data: all.map(modelInfo) } }));
}

function withModels(
  ports: AdminPorts,
  headers: Parameters<typeof authenticate>[1],
  answer: (all: readonly Listed[]) => PageAnswer,
): PageAnswer {
  const config = ports.config.current();
  if (ports.isMasterKey(headers)) return answer(listed(config));
  const key: Parsed<LiveKey> = authenticate(config, headers, ports.digest, ports.now());
  return key.ok ? answer(listed(config, key.value)) : key.failure;
}

/** Every public name the key can use: those of its routes, then `<provider>/<model>`. Without a key, all there are. */
function listed(config: LiveConfig, key?: LiveKey): readonly Listed[] {
  const found = new Map<string, Listed>();
  const add = (name: string, provider: ProviderEntry, model: ModelEntry, allowed: boolean) => {
    if (allowed && !found.has(name)) found.set(name, { name, provider, model });
  };
  for (const route of config.snapshot.routes) {
    if (key && invisible(route, key.entry)) continue;
    for (const name of namesOf(route, config)) {
      const first = planRoute(config.snapshot, route, name, nothingKnown).candidates[0];
      if (first) add(name, first.provider, first.model, !key || key.mayUse(name));
    }
  }
  for (const provider of Object.values(config.snapshot.providers)) {
    if (key && !isVisible(provider, key.entry.namespace)) continue;
    for (const model of provider.models) {
      const name = `${provider.name}/${model.name}`;
      add(name, provider, model, !key || (key.mayUse(name) && !key.isDenied(model.name)));
    }
  }
  return [...found.values()];
}

/** A route that takes a pattern, or anything, lists the models of its backends that the pattern takes. */
function namesOf(route: RouteEntry, { snapshot }: LiveConfig): readonly string[] {
  const exact = route.match.flatMap(m => (m.model?.type === 'Exact' ? [m.model.value] : []));
  const open = route.match.filter(m => m.model?.type !== 'Exact');
  if (open.length === 0 && !route.catchAll) return exact;
  const behind = route.backends.flatMap(b => snapshot.providers[b.provider]?.models.flatMap(m => [m.name, ...m.aliases]) ?? []);
  const takes = (name: string) =>
    route.catchAll ||
    open.some(({ model }) => !model || (model.type === 'Prefix' ? name.startsWith(model.value) : name.endsWith(model.value)));
  return [...exact, ...behind.filter(takes)];
}

/** LiteLLM's shape, without what would tell where the upstream lives. */
function modelInfo({ name, provider, model }: Listed): unknown {
  const can = (capability: ModelEntry['capabilities'][number]) => model.capabilities.includes(capability);
  return {
    model_name: name,
    litellm_params: { model: `${provider.name}/${model.name}` },
    model_info: {
      id: `${provider.id}/${model.name}`,
      db_model: false,
      mode: can('Chat') ? 'chat' : 'embedding',
      key: model.upstreamName,
      litellm_provider: provider.connection.type,
      max_tokens: model.maxOutputTokens ?? null,
      max_input_tokens: model.contextWindow ?? null,
      max_output_tokens: model.maxOutputTokens ?? null,
      ...perToken(model.price),
      supports_vision: can('Vision'),
      supports_function_calling: can('Tools'),
      supports_response_schema: can('JSONSchema'),
      supports_reasoning: can('Reasoning'),
    },
  };
}

function perToken(price: Price | undefined): Record<string, number | string | null> {
  const usd = (pico: number | undefined) => (pico === undefined ? null : pico / 1e12);
  return {
    input_cost_per_token: usd(price?.rates.input),
    output_cost_per_token: usd(price?.rates.output),
    cache_read_input_token_cost: usd(price?.rates.cacheRead),
    cache_creation_input_token_cost: usd(price?.rates.cacheWrite5m),
    price_source: price?.source ?? null,
  };
}
