// /user/daily/activity and its sisters for teams and tags: sums by day with what they are made of.
import { ok, type Parsed } from '#core/failure.ts';
import type { FigureFilter, FigureReport, Figures, GroupBy } from '../costlog/ledger.ts';
import { type AdminRoute, type Answer, type Call, ownFilter, wrong } from './call.ts';
import { usd } from './exact.ts';
import { fromLedger } from './from-ledger.ts';
import { keyNamed, keyNames } from './key-names.ts';
import { datesOf, timeZoneOf } from './window.ts';

const COMMON = ['start_date', 'end_date', 'tz', 'page', 'page_size'] as const;

export const activityRoutes: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/user/daily/activity',
    access: 'reader',
    query: [...COMMON, 'user_id'],
    handle: call => activity(call, call.query.get('user_id') === undefined ? {} : { user: call.query.get('user_id')! }),
  },
  {
    method: 'GET',
    path: '/team/daily/activity',
    access: 'reader',
    query: [...COMMON, 'team_ids'],
    handle: call => one(call, 'team_ids', team => ({ team })),
  },
  {
    method: 'GET',
    path: '/tag/daily/activity',
    access: 'reader',
    query: [...COMMON, 'tags'],
    handle: call => one(call, 'tags', tag => ({ tag: tag.includes('=') ? tag : tag.replace(':', '=') })),
  },
];

/** LiteLLM takes lists here; sums over several teams are those of a /cost/report. */
function one(call: Call, name: string, filter: (value: string) => FigureFilter): Promise<Parsed<Answer>> {
  const value = call.query.get(name);
  if (value?.includes(',')) return Promise.resolve(wrong(name, 'one of them'));
  return activity(call, value === undefined ? {} : filter(value));
}

type Group = FigureReport['groups'][number];
const BREAKDOWN = { models: 'model', providers: 'provider', api_keys: 'key' } as const satisfies Record<string, GroupBy>;

async function activity(call: Call, filter: FigureFilter): Promise<Parsed<Answer>> {
  const { query, ports, caller } = call;
  const timeZone = timeZoneOf(query);
  if (!timeZone.ok) return timeZone;
  const window = datesOf(call, timeZone.value);
  if (!window.ok) return window;
  const page = query.count('page', 1, 1, 100_000);
  const size = query.count('page_size', 50, 1, 1000);
  if (!page.ok) return page;
  if (!size.ok) return size;
  const ask = (groupBy: readonly GroupBy[]) =>
    ports.ledger.figures({ ...window.value, groupBy, timeZone: timeZone.value, filter: { ...filter, ...ownFilter(caller) } });
  // One question each: the requests of a day are not the sum of those of its models.
  const reports = await fromLedger(ports, () =>
    Promise.all([ask(['day']), ...Object.values(BREAKDOWN).map(by => ask(['day', by]))]),
  );
  if (!reports.ok) return reports;
  const [days, ...parts] = reports.value as [FigureReport, ...FigureReport[]];
  const newestFirst = days.groups.toSorted((a, b) => ((a.by.day ?? '') < (b.by.day ?? '') ? 1 : -1));
  const shown = newestFirst.slice((page.value - 1) * size.value, page.value * size.value);
  const pages = Math.ceil(newestFirst.length / size.value);
  return ok({
    body: {
      results: shown.map(day => ({ date: day.by.day, metrics: metrics(day.figures), breakdown: breakdownOf(call, day, parts) })),
      metadata: {
        ...Object.fromEntries(Object.entries(metrics(days.totals)).map(([name, value]) => [totalName(name), value])),
        page: page.value,
        total_pages: pages,
        has_more: page.value < pages,
      },
    },
  });
}

/** LiteLLM's `total_` names: of `total_tokens` too. */
const totalName = (name: string) => (name.startsWith('total_') ? name : `total_${name}`);

function breakdownOf(call: Call, { by }: Group, parts: readonly FigureReport[]): Record<string, unknown> {
  const keys = keyNames(call);
  return Object.fromEntries(
    Object.entries(BREAKDOWN).map(([list, name], index) => {
      const groups = parts[index]!.groups.filter(group => group.by.day === by.day);
      return [
        list,
        Object.fromEntries(groups.map(group => part(group, name === 'key' ? keyNamed(keys, group.by.key) : undefined, name))),
      ];
    }),
  );
}

/** Versions of LiteLLM have the numbers in `metrics` or beside it; both are served. */
function part({ by, figures }: Group, key: ReturnType<typeof keyNamed> | undefined, name: string): [string, unknown] {
  const numbers = metrics(figures);
  const metadata = key ? { key_alias: key.alias, team_id: key.team } : {};
  return [key ? key.token : (by[name] ?? ''), { ...numbers, metrics: numbers, metadata }];
}

const metrics = (figures: Figures) => ({
  spend: usd(figures.costNano),
  prompt_tokens: figures.promptTokens,
  completion_tokens: figures.completionTokens,
  total_tokens: figures.promptTokens + figures.completionTokens,
  successful_requests: Math.max(0, figures.attempts - figures.failures),
  failed_requests: figures.failures,
  api_requests: figures.requests,
});
