// Everything before the first upstream byte: who asks, what for, and which backends may answer it.
import { isUtf8 } from 'node:buffer';
import { lastUserTurn, promptOf } from '#core/cache/partition.ts';
import { type Failure, failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { unknownHealth } from '#core/health/health.ts';
import { scanObject } from '#core/json/scan.ts';
import type { JsonView } from '#core/json/view.ts';
import { type Downgrades, type Excluded, type ExcludedCause, modelOf } from '#core/plan/backends.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { PlanContext } from '#core/plan/context.ts';
import { noNeeds, type RequestNeeds } from '#core/plan/needs.ts';
import { isOutForNow, type Plan, planDirect, planRoute } from '#core/plan/plan.ts';
import { matchRoute, type RequestFacts } from '#core/plan/route-index.ts';
import type { NearestTask } from '#core/plan/tasks.ts';
import type { SemanticTasks } from '#core/snapshot/snapshot.ts';
import { authenticate } from './authenticate.ts';
import { holdForBatch } from './batches.ts';
import type { Call } from './call.ts';
import type { LiveConfig, LiveKey } from './config/live.ts';
import { type Exchange, isChat } from './exchange.ts';
import { type Envelope, interpretedFields } from './frontends/index.ts';
import { hasChecks } from './hooks/unseen.ts';
import { BodyNeeds } from './needs.ts';
import type { PassedEndpoint } from './passthrough/endpoints.ts';
import { meterOf } from './passthrough/meters.ts';
import { planService, pricedByRequest } from './passthrough/service.ts';
import { pinOf, planAt } from './pinned.ts';
import type { Pin } from './pins/pins.ts';
import type { Ports } from './ports.ts';
import { passedWireFor } from './providers/index.ts';
import { headerControls, tagsOf } from './request-headers.ts';
import { withExtrasPriced } from './unknown-prices.ts';

export const SCAN_LIMITS = { maxDepth: 128, interpreted: interpretedFields, isUtf8 };

/** What routes match by, and what of the request decides among their backends. */
export type PlanFacts = RequestFacts & { readonly needs: RequestNeeds };

/** Of a request for which every backend was left out, why that was. */
export type Unplanned = { readonly ok: false; readonly failure: Failure; readonly plan?: Plan };
type Planned = Parsed<Plan> | Unplanned;

/** @param isChecked what stands in it may be shown to a model: its route's checks have seen it */
export async function open(exchange: Exchange, ports: Ports, isChecked = false): Promise<Parsed<Call> | Unplanned> {
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
  const needs = new BodyNeeds(exchange, body.value, key.value.entry.tenant, envelope.model);
  const facts = { operation: frontend.operation, headers, tags, inputTokens: () => needs.inputTokens(), needs };
  if (config.hasTasks) {
    const route = matchRoute(config.routes, key.value.entry, { ...facts, model: envelope.model });
    if (route?.semantic && (isChecked || !hasChecks(route, 'Before')))
      needs.task = await taskOf(exchange, body.value, route.semantic, ports);
  }
  const planned =
    exchange.action === 'pass'
      ? planPassed(exchange.call.endpoint, config, key.value, envelope, facts, ports)
      : planAll(config, key.value, modelsOf(envelope), facts, ports);
  if (!planned.ok) return planned;
  const priced = withExtrasPriced(planned, exchange, body.value);
  if (!priced.ok) return priced;
  const pin = envelope.names ? await pinOf(envelope, key.value.entry.tenant, ports.pins) : nowhere;
  if (!pin.ok) return pin;
  const plan = planAt(priced.value, pin.value, envelope);
  if (!plan.ok) return plan;
  const call: Call = { config, key: key.value, body: body.value, envelope, tags, facts, plan: plan.value, pin: pin.value };
  return makesBatch(exchange) ? withBatch(call, ports) : ok(call);
}

const makesBatch = (exchange: Exchange): boolean => exchange.action === 'pass' && exchange.call.endpoint.meter === 'batch';

async function withBatch(call: Call, ports: Ports): Promise<Parsed<Call>> {
  const batch = await holdForBatch(ports.newRequestId(), call, ports);
  return batch.ok ? ok({ ...call, batch: batch.value }) : batch;
}

const modelsOf = ({ model, controls }: Envelope): readonly string[] => [model, ...(controls.fallbacks ?? [])];

/** By the model where there is one. */
function planPassed(
  endpoint: PassedEndpoint,
  config: LiveConfig,
  key: LiveKey,
  envelope: Envelope,
  facts: Omit<PlanFacts, 'model'>,
  ports: Ports,
): Planned {
  if (endpoint.model === 'none') {
    const asked = { endpoint, facts: { ...facts, model: envelope.model }, isPinned: envelope.names !== undefined };
    return planService(config, key, asked, contextOf(facts, ports, 0));
  }
  const planned = speaking(planAll(config, key, modelsOf(envelope), facts, ports));
  if (!planned.ok || meterOf(endpoint.meter).price === 'model') return planned;
  const candidates = planned.value.candidates.map(pricedByRequest);
  if (planned.value.route?.onUnknownPrice === 'Deny' && candidates.some(({ model }) => !model.price))
    return refuse('unknown_price', { param: 'model' });
  return ok({ ...planned.value, candidates });
}

/** By those that have such things; where none has, the first says so. */
function speaking(planned: Planned): Planned {
  if (!planned.ok) return planned;
  const candidates = planned.value.candidates.filter(candidate => passedWireFor(candidate));
  return candidates.length > 0 ? ok({ ...planned.value, candidates }) : planned;
}

const nowhere = ok<Pin | undefined>(undefined);

/** What the last turn of a request is about. */
async function taskOf(
  exchange: Exchange,
  body: JsonView,
  semantic: SemanticTasks,
  { tasks }: Ports,
): Promise<NearestTask | undefined> {
  const request = tasks && isChat(exchange) ? exchange.frontend.decode(body) : undefined;
  const turn = request?.ok ? lastUserTurn(request.value) : undefined;
  return turn && tasks?.nearest(semantic, promptOf(turn));
}

/** The plan for the model that was asked for, with those of the request's own `fallbacks` behind it. */
function planAll(
  config: LiveConfig,
  key: LiveKey,
  models: readonly string[],
  facts: Omit<PlanFacts, 'model'>,
  ports: Ports,
): Planned {
  const [first, ...others] = models as [string, ...string[]];
  const plan = planFor(config, key, { ...facts, model: first }, ports);
  if (!plan.ok || others.length === 0) return plan;
  const plans = [plan.value];
  for (const model of others) {
    if (!key.demands.covers(first, model)) return ownLimits(model);
    const more = planFor(config, key, { ...facts, model }, ports);
    if (!more.ok) return more;
    if (hasChecks(more.value.route) && more.value.route !== plan.value.route) return ownChecks(model);
    plans.push(more.value);
  }
  return ok({ ...plan.value, ...oneBehindTheOther(plans) });
}

/** Those that are out for the moment stay behind all others. */
function oneBehindTheOther(plans: readonly Plan[]): Pick<Plan, 'candidates' | 'excluded'> {
  const candidates: Candidate[] = [];
  for (const resting of [false, true])
    for (const plan of plans)
      for (const candidate of plan.candidates)
        if (isResting(candidate, plan) === resting && !candidates.some(isSameTarget(candidate))) candidates.push(candidate);
  return { candidates, excluded: plans.flatMap(plan => plan.excluded) };
}

const isResting = ({ backend }: Candidate, { excluded }: Plan): boolean =>
  excluded.some(e => e.backend === backend && isOutForNow(e));

const ownLimits = (model: string) =>
  refuse('model_not_allowed', {
    message: `This key has limits or budgets of its own for the model '${model}': it can be asked for, but not as a fallback.`,
    param: 'fallbacks',
  });

const ownChecks = (model: string) =>
  refuse('model_not_allowed', {
    message: `The route of the model '${model}' has checks of its own: it can be asked for, but not as a fallback.`,
    param: 'fallbacks',
  });

/** A backend that failed once is no fallback for itself, under whatever name it comes. */
const isSameTarget = (one: Candidate) => (other: Candidate) => one.provider === other.provider && one.model === other.model;

/** What a plan depends on besides the request; what is not given is not known. */
export type PlanPorts = Pick<Ports, 'random' | 'turn'> & Partial<Pick<Ports, 'monotonic' | 'health' | 'surroundings'>>;

/** The plan for one model: its route's, or a provider's own for `<provider>/<model>`. */
export function planFor(
  config: LiveConfig,
  key: LiveKey,
  facts: RequestFacts & Partial<PlanFacts>,
  ports: PlanPorts,
  downgrades: Downgrades = 'none',
): Planned {
  const { model } = facts;
  const route = matchRoute(config.routes, key.entry, facts);
  if (!route) return directPlan(config, key, model, contextOf(facts, ports, 0));
  if (!key.mayUse(model))
    return refuse('model_not_allowed', { message: `This key may not use the model '${model}'.`, param: 'model' });
  const context = contextOf(facts, ports, ports.turn(route.id));
  const plan = planRoute(config.snapshot, route, model, context, downgrades);
  return plan.candidates.length > 0 ? ok(plan) : { ok: false, failure: whyEmpty(plan, model), plan };
}

const contextOf = ({ needs = noNeeds }: Partial<PlanFacts>, ports: PlanPorts, turn: number): PlanContext => ({
  random: ports.random(),
  turn,
  health: ports.health ?? unknownHealth,
  now: ports.monotonic?.() ?? 0,
  needs,
  home: ports.surroundings?.home ?? {},
  pods: ports.surroundings?.pods() ?? 1,
  sessions: ports.surroundings?.sessions,
});

/** What a client is told when no backend could take its request, now or later. */
function whyEmpty({ excluded: all }: Plan, model: string): Failure {
  const excluded = all.filter(e => e.cause !== 'downgrade');
  const only = (...causes: ExcludedCause[]) => excluded.length > 0 && excluded.every(e => causes.includes(e.cause));
  // For a name that no provider knows, it is as if there were no route.
  if (only('unknown-model')) return unknownModel(model).failure;
  if (only('unknown-price')) return failure('unknown_price', { param: 'model' });
  if (only('context-window')) return failure('context_length_exceeded', { param: 'messages' });
  if (only('lacks-capability', 'context-window', 'unknown-model'))
    return failure('unsupported_parameter', { message: `No backend can take this request: ${reasonsOf(excluded)}.` });
  return failure('no_backend', { message: `No backend of the route for '${model}' is live.` });
}

const reasonsOf = (excluded: readonly Excluded[]): string => [...new Set(excluded.map(e => e.reason))].join('; ');

function directPlan(config: LiveConfig, key: LiveKey, model: string, context: PlanContext): Parsed<Plan> {
  const slash = model.indexOf('/');
  const provider = slash > 0 ? config.provider(model.slice(0, slash), key.entry.namespace) : undefined;
  const entry = provider && modelOf(provider, model.slice(slash + 1));
  if (!provider || !entry) return unknownModel(model);
  if (!key.mayUse(model) || key.isDenied(entry.name))
    return refuse('model_not_allowed', { message: `This key may not use the model '${model}'.`, param: 'model' });
  return ok(planDirect(provider, entry, context));
}

const unknownModel = (model: string) =>
  refuse('model_not_found', {
    message: `The model '${model.slice(0, 256)}' does not exist, or this key does not see it.`,
    param: 'model',
  });
