// A key as LiteLLM shows it, from the object, what is in force of it, and what it has spent.

import { ok, type Parsed } from '#core/failure.ts';
import { scaled } from '#core/resources/quantity.ts';
import type { KeyEntry } from '#core/snapshot/snapshot.ts';
import { epochMillis } from '#core/units.ts';
import type { LiveConfig } from '../config/live.ts';
import type { KeyObject } from '../ports.ts';
import type { AdminPorts } from './admin-ports.ts';
import { type BudgetView, budgetViews, isoOf, shownBudget } from './budget-view.ts';
import { integer, usd } from './exact.ts';
import { fromLedger } from './from-ledger.ts';
import { limitBudgets, mainBudget, modelBudgets, softBudget } from './key-budgets.ts';
import { identityTags, modelsShown, noteOf, teamOf } from './key-fields.ts';
import { durationOfPeriod, periodOfDuration } from './key-values.ts';

/** The entry in force; undefined for a key that has expired or is not sound. */
export const entryOf = (
  { snapshot }: LiveConfig,
  { namespace, name }: Pick<KeyObject, 'namespace' | 'name'>,
): KeyEntry | undefined => snapshot.keys.find(key => key.namespace === namespace && key.name === name);

/** SHA-256 of the secret; LiteLLM's `token`. null: the secret is made or kept elsewhere, and not in force. */
export const tokenOf = (config: LiveConfig, key: KeyObject): string | null =>
  entryOf(config, key)?.digests[0] ?? key.spec.digest?.slice('sha256:'.length) ?? null;

export type KeyStanding = { readonly spend: bigint; readonly reserved: bigint; readonly budgets: readonly BudgetView[] };

/**
 * `spend` is the sum of the key's main budget in its period, as LiteLLM's starts anew with the budget; of a key without one, all it
 * ever spent.
 */
export async function standingOf(ports: AdminPorts, config: LiveConfig, key: KeyObject): Promise<Parsed<KeyStanding>> {
  const entry = entryOf(config, key);
  const views = entry ? await budgetViews(ports, config, entry) : ok([]);
  if (!views.ok) return views;
  const own = views.value.filter(view => view.entry.scope === 'Key');
  const main = mainBudget(own.map(view => view.entry));
  const view = own.find(v => v.entry === main);
  if (view) return ok({ spend: BigInt(view.settled), reserved: BigInt(view.reserved), budgets: views.value });
  const ever = { from: epochMillis(0), to: epochMillis(ports.now() + 1), groupBy: [], timeZone: 'UTC' };
  const report = await fromLedger(ports, () =>
    ports.ledger.figures({ ...ever, filter: { tenant: key.spec.tenant, keyName: key.id } }),
  );
  if (!report.ok) return report;
  const reserved = own.map(v => v.reserved).sort((a, b) => b - a)[0] ?? 0;
  return ok({ spend: report.value.totals.costNano, reserved: BigInt(reserved), budgets: views.value });
}

/** Everything but the token, which `info` never has (LI#26672). */
export function keyInfo(key: KeyObject, standing: KeyStanding): Record<string, unknown> {
  const resets = standing.budgets.flatMap(({ resetAt }) => resetAt ?? []);
  return {
    ...settingsOf(key),
    spend: usd(standing.spend),
    reserved: usd(standing.reserved),
    budgets: standing.budgets.map(shownBudget),
    budget_reset_at: isoOf(resets.length > 0 ? Math.min(...resets) : undefined),
  };
}

/** What was set, without what was spent. */
export function settingsOf(key: KeyObject): Record<string, unknown> {
  const { spec } = key;
  const note = noteOf(key);
  const main = mainBudget(spec.budgets);
  const soft = softBudget(spec.budgets);
  const period = (main ?? soft)?.period;
  const isNoted = period !== undefined && periodOfDuration(note.budgetDuration) === period;
  return {
    key_name: note.keyName ?? null,
    key_alias: spec.alias ?? null,
    tollgate_id: key.id,
    tenant: spec.tenant,
    soft_budget_cooldown: false,
    expires: spec.expiresAt === undefined ? null : new Date(spec.expiresAt).toISOString(),
    models: modelsShown(spec.models.allow),
    aliases: {},
    config: {},
    router_settings: null,
    ...Object.fromEntries(Object.entries(identityTags).map(([field, name]) => [field, spec.tags[name] ?? null])),
    team_id: teamOf(spec),
    permissions: {},
    max_parallel_requests: spec.limits?.maxConcurrency ?? null,
    metadata: { ...metadataTags(spec.tags), ...note.metadata },
    tags: Object.entries(spec.tags).map(([name, value]) => (value === '' ? name : `${name}:${value}`)),
    blocked: spec.suspended,
    tpm_limit: spec.limits?.tpm ?? null,
    rpm_limit: spec.limits?.rpm ?? null,
    model_tpm_limit: perModel(key, 'tpm'),
    model_rpm_limit: perModel(key, 'rpm'),
    max_budget: main ? amount(main.amount) : null,
    soft_budget: soft ? amount(soft.amount) : null,
    budget_duration: isNoted ? note.budgetDuration : period === undefined ? null : durationOfPeriod[period],
    budget_limits: limitBudgets(spec.budgets).map(b => ({
      budget_duration: durationOfPeriod[b.period],
      max_budget: amount(b.amount),
    })),
    allowed_cache_controls: [],
    allowed_routes: [],
    policies: [],
    access_group_ids: [],
    model_spend: {},
    model_max_budget: Object.fromEntries(
      modelBudgets(spec.budgets).map(b => [
        b.models[0],
        { budget_limit: amount(b.amount), time_period: durationOfPeriod[b.period] },
      ]),
    ),
    budget_id: null,
    object_permission_id: null,
    created_at: isoOf(key.createdAt),
    updated_at: isoOf(key.updatedAt),
    created_by: null,
    updated_by: null,
    litellm_budget_table: null,
  };
}

const amount = (text: string) => usd(BigInt(scaled(text, 9) ?? 0));

const metadataTags = (tags: Readonly<Record<string, string>>) => {
  const identities: readonly string[] = Object.values(identityTags);
  return Object.fromEntries(Object.entries(tags).filter(([name]) => !identities.includes(name)));
};

const perModel = ({ spec }: KeyObject, field: 'rpm' | 'tpm') =>
  Object.fromEntries(
    (spec.limits?.perModel ?? []).flatMap(limit =>
      limit[field] === undefined ? [] : [[limit.model, integer(BigInt(limit[field]))]],
    ),
  );
