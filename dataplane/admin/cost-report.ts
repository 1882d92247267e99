// GET /cost/report: the ledger's sums, in JSON or with the same columns in CSV.
import { ok, type Parsed } from '#core/failure.ts';
import type { FigureReport, Figures, GroupBy } from '../costlog/ledger.ts';
import { type AdminRoute, type Answer, type Call, ownFilter, wrong } from './call.ts';
import { csv } from './csv.ts';
import { integer, usd } from './exact.ts';
import { fromLedger } from './from-ledger.ts';
import { timeZoneOf, windowOf } from './window.ts';

export const costReportRoute: AdminRoute = {
  method: 'GET',
  path: '/cost/report',
  access: 'reader',
  query: ['window', 'group_by', 'tz', 'format', 'tenant', 'team', 'user', 'key', 'tag'],
  handle: costReport,
};

const GROUPS: readonly string[] = ['tenant', 'model', 'team', 'feature', 'user', 'provider', 'key', 'day'] satisfies GroupBy[];
const MAX_GROUPS = 6;
const MAX_FILTER = 256;

async function costReport(call: Call): Promise<Parsed<Answer>> {
  const { ports, query, caller } = call;
  const timeZone = timeZoneOf(query);
  if (!timeZone.ok) return timeZone;
  const window = windowOf(query.get('window') ?? '24h', timeZone.value, ports.now());
  if (!window.ok) return window;
  const groupBy = groupsOf(query.get('group_by'));
  if (!groupBy.ok) return groupBy;
  const format = query.get('format') ?? 'json';
  if (format !== 'json' && format !== 'csv') return wrong('format', 'json or csv');
  const filter = filterOf(call);
  if (!filter.ok) return filter;
  const report = await fromLedger(ports, () =>
    // What a tenant key may not see, it cannot ask for.
    ports.ledger.figures({
      ...window.value,
      groupBy: groupBy.value,
      timeZone: timeZone.value,
      filter: { ...filter.value, ...ownFilter(caller) },
    }),
  );
  if (!report.ok) return report;
  return ok(
    format === 'csv' ? asCsv(report.value, groupBy.value) : asJson(report.value, groupBy.value, window.value, timeZone.value),
  );
}

function groupsOf(text: string | undefined): Parsed<readonly GroupBy[]> {
  const groups = [...new Set((text ?? '').split(',').map(name => name.trim()))].filter(name => name !== '');
  const known = groups.every(name => GROUPS.includes(name) || /^tag:.{1,100}$/.test(name));
  if (!known || groups.length > MAX_GROUPS) return wrong('group_by', `at most ${MAX_GROUPS} of ${GROUPS.join(', ')}, tag:NAME`);
  return ok(groups as GroupBy[]);
}

/** `tag` is NAME, NAME=VALUE or NAME:VALUE, as requests give tags; `key` is `namespace/name`. */
function filterOf({ query }: Call) {
  const names = [
    ['tenant', 'tenant'],
    ['team', 'team'],
    ['user', 'user'],
    ['key', 'keyName'],
    ['tag', 'tag'],
  ] as const;
  const filter: Record<string, string> = {};
  for (const [name, field] of names) {
    const value = query.get(name);
    if (value === undefined) continue;
    if (value.length > MAX_FILTER) return wrong(name, `at most ${MAX_FILTER} characters`);
    filter[field] = name === 'tag' && !value.includes('=') ? value.replace(':', '=') : value;
  }
  return ok(filter);
}

/** The columns of a set of figures, in this order in both formats. */
export function columnsOf(figures: Figures): Record<string, unknown> {
  const { cacheHits, requests } = figures;
  return {
    requests,
    attempts: figures.attempts,
    failures: figures.failures,
    prompt_tokens: figures.promptTokens,
    completion_tokens: figures.completionTokens,
    cost_usd: usd(figures.costNano),
    cost_nano_usd: integer(figures.costNano),
    cache_hits: cacheHits,
    cache_hit_rate: requests === 0 ? 0 : Number((cacheHits / requests).toFixed(6)),
    cost_saved_by_cache_usd: usd(figures.savedNano),
    fallback_cost_usd: usd(figures.fallbackCostNano),
    estimated_rows: figures.estimatedRows,
    unpriced_rows: figures.unpricedRows,
  };
}

function asJson(
  { totals, groups }: FigureReport,
  groupBy: readonly GroupBy[],
  { from, to }: { from: number; to: number },
  tz: string,
): Answer {
  return {
    body: {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      tz,
      group_by: groupBy,
      totals: columnsOf(totals),
      groups: groups.map(({ by, figures }) => ({ ...by, ...columnsOf(figures) })),
    },
  };
}

/** Without groups, the totals are the one line. */
function asCsv({ totals, groups }: FigureReport, groupBy: readonly GroupBy[]): Answer {
  const figures = groupBy.length === 0 ? [{ by: {} as Record<string, string | null>, figures: totals }] : groups;
  const header = [...groupBy, ...Object.keys(columnsOf(totals))];
  const lines = figures.map(group => [...groupBy.map(name => group.by[name] ?? ''), ...Object.values(columnsOf(group.figures))]);
  return { body: csv([header, ...lines]), type: 'text/csv; charset=utf-8' };
}
