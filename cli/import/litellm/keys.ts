// Keys and teams, as LiteLLM's API lists them, and the budgets of the file. A key keeps its secret: both sides know it by its SHA-256. What
// would give a key more than it had suspends it instead.
import { changeOf, readFields } from '#dataplane/admin/key-fields.ts';
import { periodOfDuration } from '#dataplane/admin/key-values.ts';
import { type Fields, isEmpty, isFields, type Source } from '../findings.ts';
import { dnsName, type Manifest, manifest, type SecretKeys } from '../manifests.ts';
import { decimal, most, type Settings } from './settings.ts';

export type KeyInputs = {
  /** What `GET /key/list?return_full_object=true` answered, or a list of keys in its shape. */
  readonly keys: Source | undefined;
  /** What `GET /team/list` answered. */
  readonly teams: Source | undefined;
  readonly settings: Settings;
  readonly secrets: SecretKeys;
  readonly digest: (text: string) => string;
  /** Epoch milliseconds: a `duration` begins when it is imported. */
  readonly now: number;
};

type Spec = Readonly<Record<string, unknown>> & { readonly tenant: string };
type Key = { readonly name: string; readonly spec: Spec };

const DEFAULT_TENANT = 'default';

export function keysOf(inputs: KeyInputs): readonly Manifest[] {
  const { settings, secrets } = inputs;
  const teams = teamsOf(inputs);
  const imported = rowsOf(inputs.keys, 'keys').flatMap(row => keyOf(row, teams, inputs) ?? []);
  const all = [...imported, ...withoutKeys(teams, imported), ...masterKey(settings, secrets, imported.length === 0)];
  return withGlobalBudget(all, settings).map(({ name, spec }) => manifest('TenantKey', name, spec));
}

// ---------------------------------------------------------------- rows

type Row = { readonly fields: Fields; readonly path: readonly (string | number)[]; readonly source: Source };

/** A list, a page of one (`{keys: [..]}`), one of them, or the answer of an `/info` call. */
function rowsOf(source: Source | undefined, list: 'keys' | 'teams'): readonly Row[] {
  if (!source) return [];
  const value = source.value;
  const page = isFields(value) ? value[list] : value;
  const items = Array.isArray(page) ? page : [value];
  return items.flatMap((item, index) => {
    const path = Array.isArray(page) ? (page === value ? [index] : [list, index]) : [];
    if (!isFields(item)) {
      source.say(
        path,
        list === 'keys'
          ? 'left out: only its hash is here; list the keys with return_full_object=true'
          : 'left out: is no object',
      );
      return [];
    }
    const info = list === 'keys' ? item.info : item.team_info;
    return [{ fields: isFields(info) ? { ...info, ...withoutInfo(item) } : item, path, source }];
  });
}

const withoutInfo = ({ info: _, team_info: __, ...rest }: Fields): Fields => rest;

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

// ---------------------------------------------------------------- teams

type Team = {
  readonly id: string;
  /** Without its name and scope. */
  readonly budget: { readonly amount: string; readonly period: string } | undefined;
  readonly models: readonly string[];
  readonly blocked: boolean;
  readonly limits: Readonly<Record<string, number>>;
  readonly say: (message: string) => void;
};

/** By id; what a list of teams says wins over the settings of the file. */
function teamsOf({ teams, settings }: KeyInputs): ReadonlyMap<string, Team> {
  const found = new Map<string, Team>();
  for (const section of settings.teams) {
    const id = section.text('team_id');
    const budget = budgetOf(section.number('max_budget'), section.text('budget_duration'), message =>
      section.say('budget_duration', message),
    );
    section.tellRest();
    if (id !== undefined)
      found.set(id, { id, budget, models: [], blocked: false, limits: {}, say: message => section.say(undefined, message) });
  }
  for (const { fields, path, source } of rowsOf(teams, 'teams')) {
    const id = textOf(fields.team_id);
    if (id === undefined) continue;
    const say = (field: string) => (message: string) => source.say([...path, field], message);
    const amount = typeof fields.max_budget === 'number' ? fields.max_budget : undefined;
    found.set(id, {
      id,
      budget: budgetOf(amount, textOf(fields.budget_duration), say('budget_duration')),
      models: Array.isArray(fields.models) ? fields.models.filter(one => typeof one === 'string') : [],
      blocked: fields.blocked === true,
      limits: teamLimits(fields, say),
      say: message => source.say(path, message),
    });
    if (amount !== undefined) sayOfSpend(fields, say('spend'));
    for (const [name, value] of Object.entries(fields))
      if (!teamFields.includes(name) && !isEmpty(value)) say(name)('not carried over: Tollgate has nothing like it for a tenant');
  }
  return found;
}

const teamFields = [
  ...[
    'team_id',
    'team_alias',
    'max_budget',
    'budget_duration',
    'models',
    'blocked',
    'tpm_limit',
    'rpm_limit',
    'max_parallel_requests',
  ],
  // Of no effect on requests.
  ...[
    'spend',
    'budget_reset_at',
    'created_at',
    'updated_at',
    'admins',
    'members',
    'members_with_roles',
    'keys',
    'members_count',
    'metadata',
  ],
];

function teamLimits(fields: Fields, say: (field: string) => (message: string) => void): Readonly<Record<string, number>> {
  const wanted = { tpm: 'tpm_limit', rpm: 'rpm_limit', maxConcurrency: 'max_parallel_requests' };
  return Object.fromEntries(
    Object.entries(wanted).flatMap(([name, field]) => {
      const value = fields[field];
      if (typeof value !== 'number' || value < 1) return [];
      say(field)('holds for each key of the team by itself: Tollgate has no limit that keys share');
      return [[name, value]];
    }),
  );
}

/** A budget that starts anew at no time that Tollgate knows never starts anew: rather too little than too much. */
function budgetOf(amount: number | undefined, duration: string | undefined, say: (message: string) => void): Team['budget'] {
  if (amount === undefined) return undefined;
  const period = duration === undefined ? 'Total' : periodOfDuration(duration);
  if (period === undefined)
    say(`${duration} is no period of Tollgate: the budget never starts anew (period: Total) until you choose one`);
  if (amount > most.dollars) say(`${amount} is more than any budget of Tollgate: it is ${most.dollars}`);
  return { amount: moneyOf(Math.max(0, Math.min(amount, most.dollars))), period: period ?? 'Total' };
}

function sayOfSpend({ spend }: Fields, say: (message: string) => void): void {
  if (typeof spend === 'number' && spend > 0)
    say('what was spent is not carried over: the budget begins anew; change over when a period begins, or lower it until then');
}

/** Money has nine decimals at most. */
const moneyOf = (amount: number): string => (amount > 0 && amount < 1e-6 ? amount.toFixed(9) : decimal(amount));

// ---------------------------------------------------------------- keys

/** Of a row of LiteLLM's table: nothing of it changes what a request may do. */
const bookkeeping = [
  ...[
    'token',
    'token_id',
    'key',
    'key_name',
    'expires',
    'spend',
    'model_spend',
    'budget_reset_at',
    'litellm_budget_table',
    'last_active',
  ],
  ...[
    'created_at',
    'updated_at',
    'created_by',
    'updated_by',
    'user',
    'user_email',
    'team_alias',
    'key_rotation_at',
    'last_rotation_at',
    'rotation_count',
  ],
];

function keyOf(row: Row, teams: ReadonlyMap<string, Team>, { digest, now }: KeyInputs): Key | undefined {
  const { fields, path, source } = row;
  const say = (field: string | undefined, message: string) => source.say(field === undefined ? path : [...path, field], message);
  const hash = hashOf(fields, digest);
  if (hash === undefined)
    return void say(undefined, 'left out: it has neither token nor key, so nobody can tell which key it is');
  const { accepted, isSuspended } = acceptable(withItsBudget(fields), now, say);
  const asked = readFields(accepted, 'generate', now);
  const change = asked.ok ? changeOf(asked.value, undefined) : asked;
  if (!change.ok) return void say(undefined, `left out: ${change.failure.message}`);
  const team = teams.get(textOf(fields.team_id) ?? '');
  if (!isEmpty(accepted.max_budget)) sayOfSpend(fields, message => say('spend', message));
  const spec: Record<string, unknown> = { ...(change.value.spec as Record<string, unknown>) };
  const expiresAt = textOf(fields.expires) === undefined ? undefined : new Date(String(fields.expires));
  if (expiresAt && Number.isNaN(expiresAt.getTime())) return void say('expires', 'left out: is no time');
  return {
    name: `${dnsName(textOf(fields.key_alias) ?? 'key', 50)}-${hash.slice(0, 8)}`,
    spec: {
      tenant: team?.id ?? textOf(fields.team_id) ?? DEFAULT_TENANT,
      digest: `sha256:${hash}`,
      ...spec,
      ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
      ...(team && ofTeam(spec, team)),
      ...((isSuspended || team?.blocked) && { suspended: true }),
    },
  };
}

const isHash = (text: string | undefined): text is string => text !== undefined && /^[0-9a-f]{64}$/.test(text);

/** LiteLLM's `token` is the SHA-256 of the key, in hex; `key` is one or the other. */
function hashOf({ token, key }: Fields, digest: KeyInputs['digest']): string | undefined {
  const known = [textOf(token), textOf(key)].find(isHash);
  const secret = textOf(key);
  return known ?? (secret === undefined ? undefined : digest(secret));
}

/** A key may have its budget in a table apart; what it says itself wins. */
function withItsBudget(fields: Fields): Fields {
  const { litellm_budget_table: table, budget_id: id, ...own } = fields;
  if (!isFields(table)) return fields;
  const shared = [
    'max_budget',
    'soft_budget',
    'budget_duration',
    'tpm_limit',
    'rpm_limit',
    'max_parallel_requests',
    'model_max_budget',
  ];
  return {
    ...own,
    ...Object.fromEntries(shared.flatMap(name => (isEmpty(own[name]) && !isEmpty(table[name]) ? [[name, table[name]]] : []))),
  };
}

/** The fields that `/key/generate` takes here as they are. */
function acceptable(fields: Fields, now: number, say: (field: string, message: string) => void) {
  const accepted: Record<string, unknown> = {};
  let isSuspended = false;
  for (const [name, value] of Object.entries(fields)) {
    if (bookkeeping.includes(name) || isEmpty(value) || (name === 'duration' && textOf(fields.expires))) continue;
    const read = readFields({ [name]: value }, 'generate', now);
    if (read.ok) accepted[name] = value;
    else if (name === 'budget_duration')
      say(name, `${value} is no period of Tollgate: the budget never starts anew (period: Total) until you choose one`);
    else if (read.failure.message.startsWith('There is no field')) say(name, 'not carried over: Tollgate has nothing like it');
    else {
      isSuspended = true;
      say(name, `not carried over, and so the key is suspended: ${read.failure.message}`);
    }
  }
  if (accepted.max_budget === undefined && accepted.soft_budget === undefined) delete accepted.budget_duration;
  return { accepted, isSuspended };
}

/** What its team allows bounds what the key is allowed. */
function ofTeam(spec: Record<string, unknown>, { budget, models, limits }: Team): Record<string, unknown> {
  const own = (spec.models as { allow?: readonly string[] } | undefined)?.allow;
  const isOpen = models.length === 0 || models.includes('all-proxy-models');
  const allow = isOpen ? own : (own?.filter(model => models.includes(model)) ?? models);
  const before = (spec.limits ?? {}) as Record<string, number>;
  const bounded = Object.entries(limits).map(([name, value]) => [name, Math.min(value, before[name] ?? value)]);
  return {
    ...(allow && { models: { allow } }),
    ...(bounded.length > 0 && { limits: { ...before, ...Object.fromEntries(bounded) } }),
    ...(budget && { budgets: [...((spec.budgets ?? []) as unknown[]), tenantBudget('team', budget)] }),
  };
}

const tenantBudget = (name: string, budget: NonNullable<Team['budget']>) => ({ name, ...budget, scope: 'Tenant' });

// ---------------------------------------------------------------- keys that nobody listed

/** The budget of a team needs a key to stand on. */
function withoutKeys(teams: ReadonlyMap<string, Team>, keys: readonly Key[]): readonly Key[] {
  return [...teams.values()].flatMap(team => {
    if (!team.budget || keys.some(({ spec }) => spec.tenant === team.id)) return [];
    team.say('has a budget and no key among those listed: one is made for it');
    const name = `team-${dnsName(team.id, 50)}`;
    const spec = { tenant: team.id, alias: team.id, generate: { secretName: `${name}-key` }, tags: { team: team.id } };
    return [{ name, spec: { ...spec, ...ofTeam({}, team), ...(team.blocked && { suspended: true }) } }];
  });
}

/** LiteLLM's master key calls models; ours does not, so it becomes a key like any other. Without one there has to be a key at all. */
function masterKey({ masterKey: credential }: Settings, secrets: SecretKeys, isOnlyKey: boolean): readonly Key[] {
  if (credential) {
    const secretRef = secrets.ref(credential, 'litellm-master-key');
    return [{ name: 'litellm-master-key', spec: { tenant: DEFAULT_TENANT, alias: 'litellm-master-key', secretRef } }];
  }
  if (!isOnlyKey) return [];
  return [{ name: 'imported', spec: { tenant: DEFAULT_TENANT, alias: 'imported', generate: { secretName: 'imported-key' } } }];
}

/** The budget of the whole proxy; Tollgate has budgets of keys and of tenants. */
function withGlobalBudget(keys: readonly Key[], { budget }: Settings): readonly Key[] {
  if (!budget) return keys;
  const say = (message: string) => budget.at.say('max_budget', message);
  const tenants = new Set(keys.map(({ spec }) => spec.tenant));
  if (tenants.size > 1) say(`holds for each of the ${tenants.size} tenants by itself: Tollgate has no budget over all tenants`);
  const read = budgetOf(budget.amount, budget.duration, message => budget.at.say('budget_duration', message));
  return keys.map(({ name, spec }) => ({
    name,
    spec: { ...spec, budgets: [...((spec.budgets ?? []) as unknown[]), tenantBudget('all', read!)] },
  }));
}
