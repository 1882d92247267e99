// /spend/* and /global/spend/*: LiteLLM's views of what was spent, all from the ledger's sums and rows.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { epochMillis } from '#core/units.ts';
import type { FigureFilter, FigureReport, Figures, GroupBy, RowQuery } from '../costlog/ledger.ts';
import { type AdminRoute, type Answer, type Call, ownFilter, wrong } from './call.ts';
import { usd } from './exact.ts';
import { fromLedger } from './from-ledger.ts';
import { keyNamed, keyNames, type NamedKey } from './key-names.ts';
import { spendLog } from './spend-shape.ts';
import { datesOf, type Window } from './window.ts';

const DATES = ['start_date', 'end_date'] as const;

const modelsList = { method: 'GET', access: 'reader', query: ['limit', ...DATES], handle: spendByModel } as const;

export const spendRoutes: readonly AdminRoute[] = [
  { method: 'GET', path: '/spend/keys', access: 'reader', query: ['limit', ...DATES], handle: spendByKey },
  { method: 'GET', path: '/spend/users', access: 'reader', query: ['user_id', 'limit', ...DATES], handle: spendByUser },
  { method: 'GET', path: '/spend/tags', access: 'reader', query: ['tag_names', 'limit', ...DATES], handle: spendByTag },
  { ...modelsList, path: '/spend/models' },
  {
    method: 'GET',
    path: '/spend/logs',
    access: 'reader',
    query: ['request_id', 'api_key', 'user_id', 'summarize', ...DATES],
    handle: logs,
  },
  {
    method: 'GET',
    path: '/spend/logs/v2',
    access: 'reader',
    query: ['request_id', 'api_key', 'user_id', 'team_id', 'page', 'page_size', ...DATES],
    handle: logsPage,
  },
  { method: 'GET', path: '/global/spend', access: 'reader', handle: spendOfAll },
  { method: 'GET', path: '/global/spend/keys', access: 'reader', query: ['limit', ...DATES], handle: globalByKey },
  { ...modelsList, path: '/global/spend/models' },
  { method: 'GET', path: '/global/spend/provider', access: 'reader', query: ['api_key', ...DATES], handle: spendByProvider },
  {
    method: 'GET',
    path: '/global/spend/report',
    access: 'reader',
    query: ['group_by', 'api_key', 'internal_user_id', 'team_id', 'customer_id', ...DATES],
    handle: spendReport,
  },
  { method: 'POST', path: '/global/spend/reset', access: 'master', handle: resetAll },
];

const MAX_LIMIT = 1000;

type Group = FigureReport['groups'][number];

/** Sums of what the caller may see: of all time where no window is given. */
function sums(
  call: Call,
  groupBy: readonly GroupBy[],
  window?: Window,
  filter: FigureFilter = {},
): Promise<Parsed<FigureReport>> {
  const { ports, caller } = call;
  const span = window ?? { from: epochMillis(0), to: epochMillis(ports.now() + 1) };
  return fromLedger(ports, () =>
    ports.ledger.figures({ ...span, groupBy, timeZone: 'UTC', filter: { ...filter, ...ownFilter(caller) } }),
  );
}

/** The window that was asked for, if one was. */
const datesIfGiven = (call: Call): Parsed<Window | undefined> =>
  DATES.some(name => call.query.get(name) !== undefined) ? datesOf(call) : ok(undefined);

/** Groups as lines, dearest first, as many as asked for. */
async function listed(
  call: Call,
  groupBy: readonly GroupBy[],
  line: (group: Group) => unknown,
  filter?: FigureFilter,
): Promise<Parsed<Answer>> {
  const window = datesIfGiven(call);
  const limit = call.query.count('limit', 100, 1, MAX_LIMIT);
  if (!window.ok) return window;
  if (!limit.ok) return limit;
  const report = await sums(call, groupBy, window.value, filter);
  return report.ok ? ok({ body: report.value.groups.slice(0, limit.value).map(line) }) : report;
}

const tokensOf = ({ promptTokens, completionTokens }: Figures) => promptTokens + completionTokens;

function spendByKey(call: Call): Promise<Parsed<Answer>> {
  const keys = keyNames(call);
  return listed(call, ['key'], ({ by, figures }) => ({ ...keyLine(keyNamed(keys, by.key)), spend: usd(figures.costNano) }));
}

function globalByKey(call: Call): Promise<Parsed<Answer>> {
  const keys = keyNames(call);
  return listed(call, ['key'], ({ by, figures }) => {
    const { token, alias, keyName } = keyNamed(keys, by.key);
    return { api_key: token, key_alias: alias, key_name: keyName, total_spend: usd(figures.costNano) };
  });
}

const keyLine = ({ token, alias, keyName, id, team, user }: NamedKey) => ({
  token,
  key_name: keyName,
  key_alias: alias,
  tollgate_id: id,
  team_id: team,
  user_id: user,
});

function spendByUser(call: Call): Promise<Parsed<Answer>> {
  const user = call.query.get('user_id');
  return listed(
    call,
    ['user'],
    ({ by, figures }) => ({ user_id: by.user, spend: usd(figures.costNano) }),
    user === undefined ? {} : { user },
  );
}

function spendByModel(call: Call): Promise<Parsed<Answer>> {
  return listed(call, ['model'], ({ by, figures }) => ({
    model: by.model,
    total_spend: usd(figures.costNano),
    total_tokens: tokensOf(figures),
    total_requests: figures.requests,
  }));
}

function spendByProvider(call: Call): Promise<Parsed<Answer>> {
  const filter = keyFilter(call, call.query.get('api_key'));
  return listed(call, ['provider'], ({ by, figures }) => ({ provider: by.provider, spend: usd(figures.costNano) }), filter);
}

async function spendOfAll(call: Call): Promise<Parsed<Answer>> {
  const report = await sums(call, []);
  return report.ok ? ok({ body: { spend: usd(report.value.totals.costNano), max_budget: null } }) : report;
}

// ---------------------------------------------------------------- tags

const MAX_TAG_NAMES = 32;
const RECENT_ROWS = 1000;

/**
 * The ledger sums by the values of one tag. Which names there are is known from the keys, from the newest rows, and from who asks:
 * `tag_names=a,b` adds those that are none of these.
 */
async function spendByTag(call: Call): Promise<Parsed<Answer>> {
  const window = datesIfGiven(call);
  const limit = call.query.count('limit', 100, 1, MAX_LIMIT);
  if (!window.ok) return window;
  if (!limit.ok) return limit;
  const recent = await rowsOf(call, { filter: {}, offset: 0, max: RECENT_ROWS });
  if (!recent.ok) return recent;
  const asked = (call.query.get('tag_names') ?? '').split(',').filter(name => name !== '');
  const own = visible(call).flatMap(({ tags }) => Object.keys(tags));
  const names = [...new Set([...asked, ...own, ...recent.value.rows.flatMap(row => Object.keys(row.tags))])].slice(
    0,
    MAX_TAG_NAMES,
  );
  const lines: { tag: string; figures: Figures }[] = [];
  for (const name of names) {
    const report = await sums(call, [`tag:${name}`], window.value);
    if (!report.ok) return report;
    for (const { by, figures } of report.value.groups) {
      const value = by[`tag:${name}`];
      if (value !== null && value !== undefined) lines.push({ tag: value === '' ? name : `${name}:${value}`, figures });
    }
  }
  lines.sort((a, b) => (a.figures.costNano < b.figures.costNano ? 1 : -1));
  return ok({
    body: lines.slice(0, limit.value).map(({ tag, figures }) => ({
      individual_request_tag: tag,
      log_count: figures.attempts,
      total_spend: usd(figures.costNano),
    })),
  });
}

const visible = ({ config, caller }: Call) => (caller.kind === 'master' ? config.snapshot.keys : [caller.key.entry]);

// ---------------------------------------------------------------- rows

const MAX_ROWS = 1000;
const OUR_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function rowsOf({ ports, caller }: Call, query: RowQuery) {
  return fromLedger(ports, () => ports.ledger.rows({ ...query, filter: { ...query.filter, ...ownFilter(caller) } }));
}

/** Of a token, what rows have. */
const KEY_ID_DIGITS = 12;

/** A key by its secret, token or name, deleted or not, as a filter; a tenant key's own filter wins over it anyway. */
function keyFilter(call: Call, reference: string | undefined): FigureFilter {
  if (reference === undefined) return {};
  const token = /^[0-9a-f]{64}$/.test(reference) ? reference : call.ports.digest(reference);
  const key = [...keyNames(call).values()].find(named => named.token === token || named.id === reference);
  if (key) return { keyName: key.id };
  return reference.includes('/') ? { keyName: reference } : { keyId: token.slice(0, KEY_ID_DIGITS) };
}

/** Without dates, the newest rows; with them, sums by day unless `summarize=false`. */
async function logs(call: Call): Promise<Parsed<Answer>> {
  const { query } = call;
  const summarize = query.flag('summarize', true);
  const window = datesIfGiven(call);
  const filter = logFilter(call);
  if (!summarize.ok) return summarize;
  if (!window.ok) return window;
  const id = query.get('request_id');
  if (window.value && summarize.value && id === undefined) return spendByDay(call, window.value, filter);
  const found = await rowsByQuery(call, { ...window.value, filter, offset: 0, max: MAX_ROWS }, id);
  return found.ok ? ok({ body: found.value.lines }) : found;
}

async function logsPage(call: Call): Promise<Parsed<Answer>> {
  const { query } = call;
  const page = query.count('page', 1, 1, 100_000);
  const size = query.count('page_size', 50, 1, MAX_ROWS);
  const window = datesIfGiven(call);
  const filter = logFilter(call);
  if (!page.ok) return page;
  if (!size.ok) return size;
  if (!window.ok) return window;
  const span = { ...window.value, filter, offset: (page.value - 1) * size.value, max: size.value };
  const found = await rowsByQuery(call, span, query.get('request_id'));
  if (!found.ok) return found;
  const { lines, total } = found.value;
  return ok({
    body: { data: lines, total, page: page.value, page_size: size.value, total_pages: Math.ceil(total / size.value) },
  });
}

function logFilter(call: Call): FigureFilter {
  const key = keyFilter(call, call.query.get('api_key'));
  const [user, team] = [call.query.get('user_id'), call.query.get('team_id')];
  return { ...key, ...(user !== undefined && { user }), ...(team !== undefined && { team }) };
}

/** By the id in the reply, or by ours: both are ids of a request. */
async function rowsByQuery(call: Call, query: RowQuery, id: string | undefined) {
  const byId = id === undefined ? {} : OUR_ID.test(id) ? { requestId: id } : { upstreamId: id };
  const found = await rowsOf(call, { ...query, ...byId });
  if (!found.ok) return found;
  const keys = keyNames(call);
  return ok({ lines: found.value.rows.map(row => spendLog(row, keyNamed(keys, row.keyName).token)), total: found.value.total });
}

/** LiteLLM's sums of days: the spend of each key by its token beside `users` and `models`. */
async function spendByDay(call: Call, window: Window, filter: FigureFilter): Promise<Parsed<Answer>> {
  const report = await sums(call, ['day', 'user', 'model', 'key'], window, filter);
  if (!report.ok) return report;
  const keys = keyNames(call);
  const days = Map.groupBy(report.value.groups, group => group.by.day ?? '');
  return ok({
    body: [...days].toSorted(byName).map(([day, groups]) => ({
      startTime: day,
      spend: usd(costOf(groups)),
      users: costsBy(groups, group => group.by.user ?? ''),
      models: costsBy(groups, group => group.by.model ?? ''),
      ...costsBy(groups, group => keyNamed(keys, group.by.key).token),
    })),
  });
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);
const costOf = (groups: readonly Group[]): bigint => groups.reduce((sum, { figures }) => sum + figures.costNano, 0n);
const costsBy = (groups: readonly Group[], name: (group: Group) => string) =>
  Object.fromEntries([...Map.groupBy(groups, name)].map(([key, of]) => [key, usd(costOf(of))]));

// ---------------------------------------------------------------- the report

async function spendReport(call: Call): Promise<Parsed<Answer>> {
  const { query } = call;
  const window = datesOf(call);
  const filter = reportFilter(call);
  if (!window.ok) return window;
  const by = query.get('group_by') ?? 'team';
  const customer = query.get('customer_id');
  if (by === 'api_key') return reportByKey(call, window.value, filter);
  if (by === 'team') return reportByDay(call, window.value, filter, { by: 'team', list: 'teams', name: 'team_name' });
  if (by !== 'customer') return wrong('group_by', 'team, customer or api_key');
  const ofCustomer = { ...filter, ...(customer !== undefined && { user: customer }) };
  return reportByDay(call, window.value, ofCustomer, { by: 'user', list: 'customers', name: 'customer' });
}

function reportFilter(call: Call): FigureFilter {
  const key = keyFilter(call, call.query.get('api_key'));
  const [user, team] = [call.query.get('internal_user_id'), call.query.get('team_id')];
  return { ...key, ...(user !== undefined && { user }), ...(team !== undefined && { team }) };
}

type DayList = { readonly by: 'team' | 'user'; readonly list: string; readonly name: string };

async function reportByDay(
  call: Call,
  window: Window,
  filter: FigureFilter,
  { by, list, name }: DayList,
): Promise<Parsed<Answer>> {
  const report = await sums(call, ['day', by, 'model', 'key'], window, filter);
  if (!report.ok) return report;
  const keys = keyNames(call);
  const line = ([of, groups]: readonly [string | null, readonly Group[]]) => ({
    [name]: of,
    total_spend: usd(costOf(groups)),
    metadata: groups.map(({ by: g, figures }) => ({
      model: g.model,
      spend: usd(figures.costNano),
      total_tokens: tokensOf(figures),
      api_key: keyNamed(keys, g.key).token,
    })),
  });
  const days = Map.groupBy(report.value.groups, group => group.by.day ?? '');
  return ok({
    body: [...days].toSorted(byName).map(([day, groups]) => ({
      group_by_day: `${day}T00:00:00+00:00`,
      [list]: [...Map.groupBy(groups, group => group.by[by] ?? null)].map(line),
    })),
  });
}

async function reportByKey(call: Call, window: Window, filter: FigureFilter): Promise<Parsed<Answer>> {
  const report = await sums(call, ['key', 'model'], window, filter);
  if (!report.ok) return report;
  const keys = keyNames(call);
  const line = (groups: readonly Group[]) => ({
    total_cost: usd(costOf(groups)),
    total_input_tokens: groups.reduce((sum, { figures }) => sum + figures.promptTokens, 0),
    total_output_tokens: groups.reduce((sum, { figures }) => sum + figures.completionTokens, 0),
  });
  return ok({
    body: [...Map.groupBy(report.value.groups, group => group.by.key)].map(([key, groups]) => ({
      api_key: keyNamed(keys, key).token,
      ...line(groups),
      model_details: groups.map(group => ({ model: group.by.model, ...line([group]) })),
    })),
  });
}

async function resetAll(): Promise<Parsed<Answer>> {
  return refuse('not_implemented', {
    message: 'Spend is the sum of the rows in the ledger, which loses none: it cannot be reset.',
  });
}
