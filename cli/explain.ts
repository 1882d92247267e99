// `tollgate explain`: which route and which backends a request would take, and why, without sending it; and what became of one.
import { parseArgs } from 'node:util';
import { formatUsd } from '#core/accounting/money.ts';
import { priceAt } from '#core/accounting/service-price.ts';
import { acceptOf } from '#core/cascade/steps.ts';
import { OPERATIONS, type Operation } from '#core/chat/dialect.ts';
import { compile } from '#core/compile/index.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type Explanation, explainRoutes } from '#core/plan/explain.ts';
import { CAPABILITY_OF, NEEDED, noNeeds, type RequestNeeds } from '#core/plan/needs.ts';
import type { Plan, Score } from '#core/plan/plan.ts';
import type { Cascade, Hook, KeyEntry, Price, Snapshot } from '#core/snapshot/snapshot.ts';
import { epochMillis, type NanoUsd } from '#core/units.ts';
import { liveConfig } from '#dataplane/config/live.ts';
import { type Frontend, frontendOf, type UnaryFrontend } from '#dataplane/frontends/index.ts';
import { uncheckedPassing } from '#dataplane/hooks/unseen.ts';
import { planFor } from '#dataplane/open.ts';
import { passedWireFor, unaryWireFor, wireFor } from '#dataplane/providers/index.ts';
import { sha256 } from '#platform/digest.ts';
import { readManifests } from '#platform/manifests.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';
import { decisionAt, told } from './explain-request.ts';
import { BadSetting, type Environment, standalonePolicy } from './settings.ts';

type Io = { readonly out: (text: string) => void; readonly err: (text: string) => void; readonly env: Environment };

const NEEDS = NEEDED.filter(name => !Object.values(CAPABILITY_OF).includes(name));

const help = `Usage: tollgate explain --config DIR --model MODEL [options]
       tollgate explain REQUEST_ID [--url URL] [--json]

Says for one request which route it takes, why the others do not, which backends are in the plan and in what order, and how each would be
spoken to. Nothing is sent. Secrets need not be set: a provider without its secret is told as such.

  --config DIR        folder or file of manifests (TOLLGATE_CONFIG; default: deploy/standalone)
  --model MODEL       the model the client asks for
  --key NAME          the TenantKey that asks: name or namespace/name (default: the first)
  --operation NAME    ${OPERATIONS.join(', ')} (Chat)
  --header 'N: V'     a request header; may be repeated
  --tag N=V           an entry of the request's metadata; may be repeated
  --input-tokens N    size of the prompt (0)
  --output-tokens N   the longest answer it allows (default: it does not say)
  --needs NAME        ${NEEDS.join(', ')}: what it needs of a model; may be repeated
  --random R          the random number of the decision, 0 <= R < 1 (0)
  --json              one JSON document for machines

With the id of a request (x-request-id), says what a running gateway decided about it: one of its last 1,000 requests.

  --url URL           its internal listener (http://127.0.0.1:4001)
`;

const flags = {
  config: { type: 'string' },
  model: { type: 'string' },
  key: { type: 'string' },
  operation: { type: 'string', default: 'Chat' },
  header: { type: 'string', multiple: true, default: [] as string[] },
  tag: { type: 'string', multiple: true, default: [] as string[] },
  'input-tokens': { type: 'string', default: '0' },
  'output-tokens': { type: 'string' },
  needs: { type: 'string', multiple: true, default: [] as string[] },
  random: { type: 'string', default: '0' },
  url: { type: 'string', default: 'http://127.0.0.1:4001' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof flags }>>['values'];

/** @returns 0: a plan, or the request, was found; 1: the request would be refused; 2: arguments that make no sense */
export async function explain(args: string[], io: Io): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args, options: flags, allowPositionals: true });
    if (values.help) {
      io.out(help);
      return 0;
    }
    if (positionals.length > 1) throw new BadSetting('only one request id at a time');
    if (positionals[0] !== undefined) return await tellRequest(positionals[0], values, io);
    if (!values.model) throw new BadSetting('--model is missing');
    const snapshot = await snapshotOf(values.config ?? io.env.TOLLGATE_CONFIG ?? 'deploy/standalone', io.env);
    return tell(storyOf(snapshot, values.model, values), values, io);
  } catch (error) {
    if (!(error instanceof BadSetting) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    io.err(`tollgate explain: ${(error as Error).message}\n`);
    return 2;
  }
}

async function tellRequest(id: string, { url, json }: Flags, { out }: Io): Promise<number> {
  if (!URL.canParse(url)) throw new BadSetting('--url must be a URL');
  const decision = await decisionAt(url, id);
  out(json ? `${JSON.stringify(decision, null, 2)}\n` : told(decision));
  return 0;
}

async function snapshotOf(path: string, environment: Environment): Promise<Snapshot> {
  const { documents, errors } = await readManifests([path]);
  for (const { file, line, message } of errors) throw new BadSetting(`${file}:${line}: ${message}`);
  const objects = documents.map(({ value, file, line, lineOf }) => ({ value, source: { file, line, lineOf } }));
  const generated = new Map(objects.map(({ value }) => [identityOf(value), 'sk-not-made-for-an-explanation-0000000']));
  const compiled = compile({
    objects,
    generated,
    environment,
    policy: standalonePolicy(environment),
    catalogue: await loadPriceCatalogue(),
    digest: sha256,
    now: epochMillis(Date.now()),
  });
  return compiled.snapshot;
}

function identityOf(value: unknown): string {
  const { metadata } = (value ?? {}) as { metadata?: { namespace?: unknown; name?: unknown } };
  return `${metadata?.namespace ?? 'default'}/${metadata?.name}`;
}

type Story = Explanation & {
  readonly key: KeyEntry;
  readonly model: string;
  readonly operation: Operation;
  readonly refusal?: string;
};

function storyOf(snapshot: Snapshot, model: string, values: Flags): Story {
  const key = keyNamed(snapshot, values.key);
  const operation = OPERATIONS.find(o => o === values.operation);
  if (!operation) throw new BadSetting(`--operation must be one of ${OPERATIONS.join(', ')}`);
  const context = { random: Number(values.random), turn: 0 };
  if (!(context.random >= 0 && context.random < 1)) throw new BadSetting('--random must be at least 0 and below 1');
  const headers = Object.fromEntries(
    values.header.map(h => pair(h, ':', '--header')).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const tags = Object.fromEntries(values.tag.map(t => pair(t, '=', '--tag')));
  const needs = needsOf(values, operation, headers);
  const facts = { model, operation, headers, tags, inputTokens: needs.inputTokens, needs };
  const explanation = explainRoutes(snapshot, key, facts, { ...context, needs });
  const config = liveConfig(snapshot, new Map(), 1, sha256);
  const planned = planFor(config, config.key(key.digests[0] ?? '')!, facts, { random: () => context.random, turn: () => 0 });
  if (!planned.ok)
    return { ...explanation, key, model, operation, refusal: `${planned.failure.class}: ${planned.failure.message}` };
  const unchecked = frontendOf(operation) ? undefined : uncheckedPassing(operation, planned.value.route);
  const refusal = unchecked && `${unchecked.class}: ${unchecked.message}`;
  return { ...explanation, plan: planned.value, key, model, operation, ...(refusal !== undefined && { refusal }) };
}

function needsOf(values: Flags, operation: Operation, headers: Readonly<Record<string, string>>): RequestNeeds {
  const unknown = values.needs.find(name => !NEEDS.some(known => known === name));
  if (unknown !== undefined) throw new BadSetting(`--needs must be one of ${NEEDS.join(', ')}, not '${unknown}'`);
  const [input, output] = [countOf(values, 'input-tokens') ?? 0, countOf(values, 'output-tokens')];
  return {
    ...noNeeds,
    operation,
    needs: capability => CAPABILITY_OF[operation] === capability || values.needs.includes(capability),
    inputTokens: () => input,
    leastInputTokens: () => input,
    maxOutputTokens: () => output,
    session: header => headers[header],
  };
}

function countOf(values: Flags, flag: 'input-tokens' | 'output-tokens'): number | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new BadSetting(`--${flag} must be a whole number`);
}

function keyNamed({ keys }: Snapshot, name: string | undefined): KeyEntry {
  const key = name === undefined ? keys[0] : keys.find(k => k.name === name || `${k.namespace}/${k.name}` === name);
  if (!key)
    throw new BadSetting(
      name === undefined ? 'the configuration has no TenantKey that is live' : `there is no live TenantKey ${name}`,
    );
  return key;
}

function pair(text: string, separator: string, flag: string): [string, string] {
  const at = text.indexOf(separator);
  if (at <= 0) throw new BadSetting(`${flag} takes NAME${separator}VALUE, not '${text}'`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function tell(story: Story, values: Flags, { out }: Io): number {
  if (values.json) out(`${JSON.stringify(forMachines(story), null, 2)}\n`);
  else out(forPeople(story));
  return story.refusal === undefined ? 0 : 1;
}

function forMachines({ key, model, operation, refusal, routes, plan, scores }: Story) {
  return {
    model,
    operation,
    key: `${key.namespace}/${key.name}`,
    ...(refusal !== undefined && { refusal }),
    routes,
    candidates: (plan?.candidates ?? []).map(c => ({ ...describe(c, operation), priority: c.priority, weight: c.weight })),
    excluded: plan?.excluded ?? [],
    scores,
    ...(plan?.route?.hooks && {
      hooks: plan.route.hooks.map(({ http, ...hook }) => ({ ...hook, ...(http && { url: http.origin + http.path }) })),
    }),
    ...(plan?.route?.cascade && { cascade: plan.route.cascade }),
  };
}

function describe({ backend, provider, model }: Candidate, operation: Operation) {
  const frontend = frontendOf(operation);
  return {
    backend,
    provider: provider.id,
    type: provider.connection.type,
    model: model.name,
    upstreamModel: model.upstreamName,
    path: frontend ? pathOf(frontend, { provider, model }) : passedPath(operation, { provider, model }),
    price: priceText(model.price),
  };
}

/** Of what is not translated. */
const passedPath = (operation: Operation, target: Pick<Candidate, 'provider' | 'model'>): string =>
  passedWireFor(target)
    ? 'passed on as it is'
    : `refused: nothing is passed on to type ${target.provider.connection.type} (${operation})`;

/** How the client's dialect becomes that of the target. */
function pathOf(frontend: Frontend | UnaryFrontend, target: Pick<Candidate, 'provider' | 'model'>): string {
  const wire = 'extent' in frontend ? unaryWireFor(frontend.operation, target) : wireFor(frontend.dialect, target);
  if (!wire) return `refused: the model has no ${frontend.operation}`;
  const dialect = 'dialect' in wire ? wire.dialect : wire.native?.dialect;
  if (dialect === frontend.dialect) return 'passed through';
  return `translated from ${frontend.dialect} to ${dialect ?? `the wire of type ${target.provider.connection.type}`}`;
}

function priceText(price: Price | undefined): string {
  if (!price) return 'not known';
  const { rates, services = [] } = price;
  const levels = services.map(({ name }) => `; ${name}: ${ratesText(priceAt(price, { tier: name }).rates)}`);
  return `${ratesText(rates)}, USD per million tokens${levels.join('')}`;
}
const ratesText = ({ input, output }: Price['rates']): string => `${perMillion(input)} in, ${perMillion(output)} out`;
const perMillion = (pico: number): string => formatUsd((pico * 1000) as NanoUsd);

function forPeople({ key, model, operation, refusal, routes, plan, scores }: Story): string {
  const lines = [`${operation} for '${model}' with key ${key.namespace}/${key.name} (tenant ${key.tenant})`, '', 'Routes:'];
  for (const { route, taken, reasons } of routes)
    lines.push(`  ${taken ? '->' : '  '} ${route}${taken ? '  taken' : `  ${reasons.join('; ')}`}`);
  if (routes.length === 0) lines.push('     none');
  if (plan?.route?.hooks) lines.push('', 'Hooks:', ...plan.route.hooks.map(hookLine));
  lines.push('', refusal === undefined ? titleOf(plan) : `Refused: ${refusal}`);
  if (refusal === undefined)
    for (const [index, candidate] of (plan?.candidates ?? []).entries())
      lines.push(...linesOf(candidate, index, operation, scores), ...stepOf(candidate, plan?.route?.cascade));
  for (const { backend, reason } of plan?.excluded ?? []) lines.push(`  -  ${backend}  left out: ${reason}`);
  return `${lines.join('\n')}\n`;
}

const titleOf = (plan: Plan | undefined): string =>
  plan?.route
    ? `Backends, in the order they are tried (${plan.route.strategy}):`
    : 'No route takes it: it goes straight to its provider.';

function hookLine({ name, when, mode, holdStream, onFailure, http, sensitiveData }: Hook): string {
  const does = sensitiveData
    ? `${sensitiveData.kinds.join(', ')}: ${sensitiveData.action}${sensitiveData.restore ? ', restored in the answer' : ''}`
    : `${http ? http.origin + http.path : 'an address that it may not have'}${mode === 'Decide' ? `, on failure ${onFailure}` : ''}`;
  return `  ${when} ${mode}  ${name}  ${does}${holdStream ? ', holds streams' : ''}`;
}

function linesOf(candidate: Candidate, index: number, operation: Operation, scores: readonly Score[]): string[] {
  const told = describe(candidate, operation);
  const score = scores.find(({ backend }) => backend === candidate.backend);
  const figure = score?.figure === undefined ? '' : `, ${score.figure}: ${score.value ?? 'not known'}`;
  return [
    `  ${index + 1}. ${told.backend}  priority ${candidate.priority}, weight ${score?.weight ?? candidate.weight}${figure}`,
    `     ${told.type} ${told.provider}, model ${told.upstreamModel}, ${told.path}; price ${told.price}`,
  ];
}

/** What a cascade asks of the answer of a backend. */
function stepOf(candidate: Candidate, cascade: Cascade | undefined): string[] {
  if (!cascade?.steps.some(({ backend }) => backend === candidate.backend)) return [];
  const accept = acceptOf(candidate, cascade);
  if (!accept) return ['     step of the cascade: its answer is taken'];
  const { rules, minConfidence, maxOutputTokens, judge } = accept;
  const asked = [
    ...rules,
    ...(minConfidence === undefined ? [] : [`confidence from ${minConfidence}`]),
    ...(maxOutputTokens === undefined ? [] : [`at most ${maxOutputTokens} tokens`]),
    ...(judge ? [`${judge.minScore} of ${judge.provider}, model ${judge.model}`] : []),
  ];
  return [
    `     step of the cascade: its answer is taken if it has ${asked.length > 0 ? asked.join(', ') : 'nothing in particular'}`,
  ];
}
