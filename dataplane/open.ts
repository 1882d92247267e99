// Everything before the first upstream byte: who asks, what for, and which backends may answer it.
import { isUtf8 } from 'node:buffer';
import { type Failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type Downgrades, type Excluded, modelOf, type Plan, planDirect, planRoute } from '#core/plan/plan.ts';
import { matchRoute, type RequestFacts } from '#core/plan/route-index.ts';
import { authenticate } from './authenticate.ts';
import type { Call } from './call.ts';
import type { LiveConfig, LiveKey } from './config/live.ts';
import type { Exchange } from './exchange.ts';
import { interpretedFields } from './frontends/index.ts';
import type { Ports } from './ports.ts';
import { served } from './providers/index.ts';
import { headerControls, tagsOf } from './request-headers.ts';

const SCAN_LIMITS = { maxDepth: 128, interpreted: interpretedFields, isUtf8 };

export async function open(exchange: Exchange, ports: Ports): Promise<Parsed<Call>> {
  const config = ports.config.current();
  const { frontend, headers } = exchange;
  const key = authenticate(config, headers, ports.digest, ports.now());
  if (!key.ok) return key;
  const bytes = await exchange.readBody();
  if (!bytes.ok) return bytes;
  const body = scanObject(bytes.value, SCAN_LIMITS);
  if (!body.ok) return body;
  const inspected = frontend.inspect(body.value);
  if (!inspected.ok) return inspected;
  const envelope = { ...inspected.value, controls: headerControls(headers, inspected.value.controls) };
  const tags = tagsOf(headers, envelope.controls);
  const facts = { operation: frontend.operation, headers, tags, inputTokens: () => roughTokens(body.value) };
  const plan = planAll(config, key.value, [envelope.model, ...(envelope.controls.fallbacks ?? [])], facts, ports);
  return plan.ok
    ? ok({
        config,
        key: key.value,
        body: body.value,
        envelope,
        tags,
        facts,
        plan: plan.value,
        seed: Math.floor(ports.random() * 65_536),
      })
    : plan;
}

/** The plan for the model that was asked for, with those of the request's own `fallbacks` behind it. */
function planAll(
  config: LiveConfig,
  key: LiveKey,
  models: readonly string[],
  facts: Omit<RequestFacts, 'model'>,
  ports: Ports,
): Parsed<Plan> {
  const [first, ...others] = models as [string, ...string[]];
  const plan = planFor(config, key, { ...facts, model: first }, ports);
  if (!plan.ok || others.length === 0) return plan;
  const candidates = [...plan.value.candidates];
  for (const model of others) {
    if (!key.demands.covers(first, model)) return ownLimits(model);
    const more = planFor(config, key, { ...facts, model }, ports);
    if (!more.ok) return more;
    for (const candidate of more.value.candidates) if (!candidates.some(isSameTarget(candidate))) candidates.push(candidate);
  }
  return ok({ ...plan.value, candidates });
}

const ownLimits = (model: string) =>
  refuse('model_not_allowed', {
    message: `This key has limits or budgets of its own for the model '${model}': it can be asked for, but not as a fallback.`,
    param: 'fallbacks',
  });

/** A backend that failed once is no fallback for itself, under whatever name it comes. */
const isSameTarget = (one: Candidate) => (other: Candidate) => one.provider === other.provider && one.model === other.model;

/** The plan for one model: its route's, or a provider's own for `<provider>/<model>`. */
export function planFor(
  config: LiveConfig,
  key: LiveKey,
  facts: RequestFacts,
  { random, turn }: Pick<Ports, 'random' | 'turn'>,
  downgrades: Downgrades = 'none',
): Parsed<Plan> {
  const { model } = facts;
  const route = matchRoute(config.routes, key.entry, facts);
  if (route) {
    if (!key.mayUse(model))
      return refuse('model_not_allowed', { message: `This key may not use the model '${model}'.`, param: 'model' });
    const plan = planRoute(config.snapshot, served, route, model, { random: random(), turn: turn(route.id) }, downgrades);
    if (plan.candidates.length > 0) return ok(plan);
    return emptyPlan(plan, model);
  }
  return directPlan(config, key, model);
}

/** A route without a backend for this request: for a name that no provider knows, it is as if there were no route. */
function emptyPlan({ excluded }: Plan, model: string): { ok: false; failure: Failure } {
  const all = (cause: Excluded['cause']) => excluded.every(e => e.cause === cause);
  if (all('unknown-model')) return unknownModel(model);
  if (all('unknown-price')) return refuse('unknown_price', { param: 'model' });
  return refuse('no_backend', { message: `No backend of the route for '${model}' is live.` });
}

function directPlan(config: LiveConfig, key: LiveKey, model: string): Parsed<Plan> {
  const slash = model.indexOf('/');
  const provider = slash > 0 ? config.provider(model.slice(0, slash), key.entry.namespace) : undefined;
  const entry = provider && served.has(provider.connection.type) ? modelOf(provider, model.slice(slash + 1)) : undefined;
  if (!provider || !entry) return unknownModel(model);
  if (!key.mayUse(model) || key.isDenied(entry.name))
    return refuse('model_not_allowed', { message: `This key may not use the model '${model}'.`, param: 'model' });
  return ok(planDirect(provider, entry));
}

const unknownModel = (model: string) =>
  refuse('model_not_found', {
    message: `The model '${model.slice(0, 256)}' does not exist, or this key does not see it.`,
    param: 'model',
  });

/** About four bytes a token; the structure of the body counts in, which errs on the high side. */
const roughTokens = (body: JsonView): number => Math.ceil(body.bytes.length / 4);
