// LiteLLM's fields of a key as what a TenantKey says. Every field is honoured, named among the ignored ones because
// it changes nothing here, or refused because ignoring it would give more than was asked for.
import { zoneName } from '#core/accounting/periods.ts';
import { failure, ok, type Parsed } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { scaled } from '#core/resources/quantity.ts';
import type { TenantKeySpec } from '#core/resources/tenant-key.ts';
import { nanoUsd } from '#core/units.ts';
import type { KeyChange, KeyObject } from '../ports.ts';
import { tagsOfList } from '../request-headers.ts';
import { asLimits, type BudgetAsk, budgetsFor, type ModelLimits } from './key-budgets.ts';
import { isEmpty, periodOfDuration, secondsOf } from './key-values.ts';

/** What LiteLLM keeps of a key and a TenantKey has no field for; an annotation of the object. */
export type KeyNote = { readonly keyName?: string; readonly budgetDuration?: string; readonly metadata?: JsonRecord };
const NOTE = 'tollgate.dev/key-note';

export const noteOf = ({ annotations }: Pick<KeyObject, 'annotations'>): KeyNote => {
  try {
    const note: unknown = JSON.parse(annotations[NOTE] ?? '{}');
    return isRecord(note) ? (note as KeyNote) : {};
  } catch {
    return {};
  }
};
export const noteAnnotation = (note: KeyNote): Record<string, string> => ({ [NOTE]: JSON.stringify(note) });

/** Tags that have a field of their own. */
export const identityTags = {
  user_id: 'user',
  team_id: 'team',
  organization_id: 'organization',
  project_id: 'project',
  agent_id: 'agent',
} as const;

/** LiteLLM's teams are tenants; a key whose tenant was given besides its team has a team within that tenant. */
export const teamOf = ({ tags, tenant }: Pick<TenantKeySpec, 'tags' | 'tenant'>): string => tags.team ?? tenant;

/** What a body asks for, field by field; what is absent stays as it is. */
export type Asked = {
  readonly spec: Record<string, unknown>;
  readonly budgets: BudgetAsk;
  readonly limits: ModelLimits;
  readonly tags: Record<string, string | undefined>;
  metadata?: JsonRecord;
  tagList?: readonly string[];
  tenant?: string;
  namespace?: string;
  secret?: string;
  /** Milliseconds that the key's earlier secret goes on working. */
  grace: number;
  readonly ignored: string[];
};

/** Puts the value where it belongs; tells what it must be where it is not that. null takes away what was set. */
type Reader = (asked: Asked, value: unknown, now: number) => string | undefined;

/** Which fields of the calls name the key, and are read before. */
export type FieldsOf = 'generate' | 'update' | 'regenerate';

export function readFields(body: JsonRecord, of: FieldsOf, now: number): Parsed<Asked> {
  const asked: Asked = { spec: {}, budgets: {}, limits: {}, tags: {}, grace: 0, ignored: [] };
  for (const [name, value] of Object.entries(body)) {
    if (naming[of].includes(name)) continue;
    const reader = readers[name] ?? ownReaders[of][name];
    if (!reader) return { ok: false, failure: refusal(name, undefined) };
    const must = reader(asked, value, now);
    if (must !== undefined) return { ok: false, failure: refusal(name, must) };
  }
  return ok(asked);
}

const naming: Readonly<Record<FieldsOf, readonly string[]>> = { generate: [], update: ['key'], regenerate: ['key'] };

const refusal = (name: string, must: string | undefined) =>
  failure('invalid_request', {
    message: must === undefined ? `There is no field ${name.slice(0, 64)}.` : `${name} must be ${must}.`,
    param: name.slice(0, 64),
  });

// ---------------------------------------------------------------- readers

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
const isText = (value: unknown): value is string => typeof value === 'string' && value.length >= 1 && value.length <= 256;
const isTextList = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

const amountOf = (value: unknown) => {
  const nano = typeof value === 'number' || typeof value === 'string' ? scaled(String(value), 9) : undefined;
  return nano === undefined || nano > 9e15 ? undefined : nanoUsd(nano);
};
const AMOUNT = 'an amount of US dollars from 0 to 9000000';
const DURATION = 'one of 1h, 24h, 1d, 7d, 1w, 30d, 1mo: budgets follow the calendar';

const rate =
  (field: 'rpm' | 'tpm' | 'maxConcurrency'): Reader =>
  (asked, value) => {
    if (value !== null && !isCount(value)) return 'a whole number of 1 or more (use blocked to refuse all)';
    asked.limits[field] = value;
    return undefined;
  };

const perModel =
  (field: 'rpm' | 'tpm'): Reader =>
  (asked, value) => {
    if (value !== null && !(isRecord(value) && Object.values(value).every(isCount))) return 'whole numbers of 1 or more by model';
    asked.limits.perModel = { ...asked.limits.perModel, [field]: value ?? {} };
    return undefined;
  };

const tag =
  (name: string): Reader =>
  (asked, value) => {
    if (value !== null && !isText(value)) return 'a string of 1 to 256 characters';
    asked.tags[name] = value ?? undefined;
    return undefined;
  };

/** Gives less, or other things, where it is set: not to honour it would be to lie. */
const refused =
  (why: string, ...harmless: readonly unknown[]): Reader =>
  (_, value) =>
    isEmpty(value) || harmless.includes(value) ? undefined : `left out: ${why}`;

const withoutEffect =
  (name: string): Reader =>
  (asked, value) => {
    if (!isEmpty(value)) asked.ignored.push(name);
    return undefined;
  };

const NOT_HERE = 'Tollgate does not have it';

const readers: Readonly<Record<string, Reader>> = {
  __proto__: null as never,
  key_alias: (asked, value) => {
    if (value !== null && !(isText(value) && value.length <= 128)) return 'a string of 1 to 128 characters';
    asked.spec.alias = value ?? undefined;
    return undefined;
  },
  models: (asked, value) => {
    if (value !== null && !isTextList(value)) return 'a list of model names';
    asked.spec.models = modelsOf(value ?? []);
    return undefined;
  },
  duration: (asked, value, now) => {
    const seconds = value === null || value === '-1' ? undefined : secondsOf(value);
    if (seconds === undefined && value !== null && value !== '-1') return 'a duration such as 30s, 30m, 30h, 30d or 1mo';
    asked.spec.expiresAt = seconds === undefined ? undefined : new Date(now + seconds * 1000).toISOString();
    return undefined;
  },
  blocked: (asked, value) => {
    if (value !== null && typeof value !== 'boolean') return 'true or false';
    asked.spec.suspended = value ?? false;
    return undefined;
  },
  tpm_limit: rate('tpm'),
  rpm_limit: rate('rpm'),
  max_parallel_requests: rate('maxConcurrency'),
  model_tpm_limit: perModel('tpm'),
  model_rpm_limit: perModel('rpm'),
  max_budget: (asked, value) => {
    const amount = value === null ? null : amountOf(value);
    asked.budgets.max = amount;
    return amount === undefined ? AMOUNT : undefined;
  },
  soft_budget: (asked, value) => {
    const amount = value === null ? null : amountOf(value);
    asked.budgets.soft = amount;
    return amount === undefined ? AMOUNT : undefined;
  },
  budget_duration: (asked, value) => {
    const period = value === null ? null : periodOfDuration(value);
    asked.budgets.duration = period && { period, text: String(value) };
    return period === undefined ? DURATION : undefined;
  },
  budget_limits: (asked, value) => {
    const limits = (value ?? []) as readonly JsonRecord[];
    if (!Array.isArray(limits) || !limits.every(isRecord)) return 'a list of {budget_duration, max_budget}';
    const read = limits.map(({ budget_duration, max_budget, ...rest }) => ({
      period: periodOfDuration(budget_duration),
      amount: amountOf(max_budget),
      isPlain: Object.keys(rest).length === 0,
    }));
    if (!read.every(limit => limit.period && limit.amount !== undefined && limit.isPlain))
      return `a list of {budget_duration, max_budget}: the first ${DURATION}, the second ${AMOUNT}`;
    if (new Set(read.map(limit => limit.period)).size < read.length) return 'without two limits of one period';
    asked.budgets.limits = read.map(({ period, amount }) => ({ period: period!, amount: amount! }));
    return undefined;
  },
  model_max_budget: (asked, value) => {
    if (value !== null && !(isRecord(value) && Object.values(value).every(isRecord))) return 'budgets by model';
    const read = Object.entries((value ?? {}) as Record<string, JsonRecord>).map(([model, limit]) => ({
      model,
      amount: amountOf(limit.budget_limit ?? limit.max_budget),
      period: periodOfDuration(limit.time_period ?? limit.budget_duration),
    }));
    if (!read.every(limit => limit.amount !== undefined && limit.period))
      return `{model: {budget_limit, time_period}}: the first ${AMOUNT}, the second ${DURATION}`;
    asked.budgets.models = read.map(({ model, amount, period }) => ({ model, amount: amount!, period: period! }));
    return undefined;
  },
  time_zone: (asked, value) => {
    const zone = typeof value === 'string' ? zoneName(value) : undefined;
    if (zone === undefined) return 'the IANA name of a time zone';
    asked.budgets.timeZone = zone;
    return undefined;
  },
  metadata: (asked, value) => {
    if (value !== null && !isRecord(value)) return 'an object';
    const { tags, ...metadata } = (value ?? {}) as JsonRecord;
    if (Object.hasOwn(metadata, '__proto__')) return 'without the name __proto__';
    if (JSON.stringify(metadata).length > 32_768) return 'at most 32768 characters of JSON';
    asked.metadata = metadata;
    return tags === undefined ? undefined : readers.tags!(asked, tags, 0);
  },
  tags: (asked, value) => {
    if (value !== null && !isTextList(value)) return 'a list of strings of 1 to 256 characters';
    if (value?.some(entry => /^\s*__proto__\s*([=:]|$)/.test(entry))) return 'without the name __proto__';
    asked.tagList = value ?? [];
    return undefined;
  },
  ...Object.fromEntries(Object.entries(identityTags).map(([field, name]) => [field, tag(name)])),

  aliases: refused(`${NOT_HERE}; a route gives a model another name`),
  spend: refused('what is spent is what the ledger has', 0),
  budget_id: refused(`${NOT_HERE}; give the budget itself`),
  budget_fallbacks: refused(`${NOT_HERE}; a backend marked downgrade and onExhausted: Downgrade do this`),
  rpm_limit_type: refused(`${NOT_HERE}; limits are always kept`, 'guaranteed_throughput', 'best_effort_throughput'),
  tpm_limit_type: refused(`${NOT_HERE}; limits are always kept`, 'guaranteed_throughput', 'best_effort_throughput'),
  permissions: refused(NOT_HERE),
  object_permission: refused(NOT_HERE),
  allowed_cache_controls: refused(NOT_HERE),
  allowed_routes: refused(NOT_HERE),
  allowed_passthrough_routes: refused(NOT_HERE),
  access_group_ids: refused(NOT_HERE),
  guardrails: refused(NOT_HERE),
  policies: refused(NOT_HERE),
  prompts: refused(NOT_HERE),
  enforced_params: refused(NOT_HERE),
  key_type: refused('keys of tenants call models and read what is their own', 'default', 'llm_api'),
  auto_rotate: refused(`${NOT_HERE} for keys made here; a TenantKey with generate has rotation`, false),
  rotation_interval: refused(`${NOT_HERE} for keys made here; a TenantKey with generate has rotation`),
  throttle_on_budget_exceeded: refused(NOT_HERE, false),
  temp_budget_increase: refused(`${NOT_HERE}; raise max_budget`),
  temp_budget_expiry: refused(`${NOT_HERE}; raise max_budget`),
  router_settings: refused(`${NOT_HERE} for a key; routes have them`),
  config: refused(`${NOT_HERE} for a key; routes have it`),
  send_invite_email: withoutEffect('send_invite_email'),
  soft_budget_cooldown: withoutEffect('soft_budget_cooldown'),
  default_estimated_output_tokens: withoutEffect('default_estimated_output_tokens'),
};

const secret: Reader = (asked, value) => {
  if (value === null) return undefined;
  if (typeof value !== 'string' || !/^[\x21-\x7e]{16,256}$/.test(value))
    return 'a key of 16 to 256 printable characters without spaces';
  asked.secret = value;
  return undefined;
};

const ownReaders: Readonly<Record<FieldsOf, Readonly<Record<string, Reader>>>> = {
  generate: {
    __proto__: null as never,
    key: secret,
    tenant: (asked, value) => {
      if (!isText(value) || value.length > 128) return 'a string of 1 to 128 characters';
      asked.tenant = value;
      return undefined;
    },
    namespace: (asked, value) => {
      if (!isText(value)) return 'the name of a namespace';
      asked.namespace = value;
      return undefined;
    },
  },
  update: { __proto__: null as never, tenant: () => 'left out: the tenant of a key never changes' },
  regenerate: {
    __proto__: null as never,
    new_key: secret,
    grace_period: (asked, value) => {
      const seconds = value === null || value === '' ? 0 : secondsOf(value);
      if (seconds === undefined) return 'a duration such as 48h or 7d';
      asked.grace = seconds * 1000;
      return undefined;
    },
  },
};

/** LiteLLM's words for all and for none. */
const NO_MODELS = 'no-default-models';
/** An empty list is all models to LiteLLM's clients: what may use none says so, and may be sent back as it came. */
export const modelsShown = (allow: readonly string[] | undefined): readonly string[] =>
  allow?.length === 0 ? [NO_MODELS] : (allow ?? []);

function modelsOf(models: readonly string[]): { allow?: readonly string[] } {
  if (models.length === 0 || models.includes('all-proxy-models') || models.includes('all-team-models') || models.includes('*'))
    return {};
  return { allow: models.filter(model => model !== NO_MODELS) };
}

// ---------------------------------------------------------------- the change

/** What is asked for, laid over what the key says now. */
export function changeOf(asked: Asked, key: Pick<KeyObject, 'spec' | 'annotations'> | undefined): Parsed<KeyChange> {
  if (key && movesTenant(asked, key.spec)) return { ok: false, failure: refusal('team_id', NO_MOVE) };
  const note = key ? noteOf(key) : {};
  const budgets = budgetsFor(asked.budgets, key?.spec.budgets ?? []);
  if (budgets === 'duration alone')
    return {
      ok: false,
      failure: failure('invalid_request', { message: 'budget_duration needs max_budget.', param: 'budget_duration' }),
    };
  const metadata = asked.metadata ?? note.metadata;
  const duration = asked.budgets.duration === undefined ? note.budgetDuration : asked.budgets.duration?.text;
  const models =
    asked.spec.models && key
      ? { ...asked.spec.models, ...(key.spec.models.deny.length > 0 && { deny: key.spec.models.deny }) }
      : asked.spec.models;
  return ok({
    spec: {
      ...asked.spec,
      ...(models !== undefined && { models }),
      ...(budgets && { budgets }),
      ...(Object.keys(asked.limits).length > 0 && { limits: asLimits(asked.limits, key?.spec.limits) }),
      ...(asksForTags(asked) && { tags: tagsFor(asked, key?.spec.tags ?? {}, note) }),
    },
    annotations: noteAnnotation({
      ...note,
      ...(metadata && { metadata }),
      ...(duration !== undefined ? { budgetDuration: duration } : { budgetDuration: undefined as never }),
    }),
  });
}

const NO_MOVE = 'left out, or as it is: the team is the tenant, which never changes; make a new key';

const movesTenant = ({ tags }: Asked, key: TenantKeySpec): boolean =>
  'team' in tags && tags.team !== key.tenant && teamOf(key) === key.tenant;

const asksForTags = ({ tags, metadata, tagList }: Asked): boolean =>
  Object.keys(tags).length > 0 || metadata !== undefined || tagList !== undefined;

/** New metadata replaces what the old became; a field of its own wins over both. */
function tagsFor(asked: Asked, before: TenantKeySpec['tags'], note: KeyNote): Record<string, string> {
  const stale = asked.metadata ? Object.keys(note.metadata ?? {}) : [];
  const kept = Object.entries(before).filter(([name]) => !stale.includes(name));
  const all = {
    ...Object.fromEntries(kept),
    ...scalarsOf(asked.metadata ?? {}),
    ...tagsOfList(asked.tagList ?? []),
    ...asked.tags,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** What of metadata can be a tag: names and plain values. The rest is kept and shown, and on no row. */
const scalarsOf = (metadata: JsonRecord): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metadata).flatMap(([name, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value) && String(value).length <= 256 ? [[name, String(value)]] : [],
    ),
  );
