// Grafana dashboards as data: what a dashboard shows is said by its panels' titles, units and queries; layout, ids and the rest of Grafana's
// JSON come from here.

export type Unit = 'short' | 'reqps' | 's' | 'percentunit' | 'currencyUSD' | 'bytes' | 'tps' | 'none' | 'dateTimeFromNow';

export type Query = { readonly expr: string; readonly legend?: string };

export type Panel = {
  readonly title: string;
  /** `stat`: one number; `graph`: over time; `table`: the current value of each series. */
  readonly kind: 'stat' | 'graph' | 'table';
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly help?: string;
  /** Of 24. */
  readonly width?: number;
  readonly stacked?: boolean;
  /** Numbers from which on it turns orange, then red. */
  readonly warn?: readonly [orange: number, red: number];
};

export type Row = { readonly title: string; readonly panels: readonly Panel[] };

export type Dashboard = {
  /** Stays, whatever the title becomes: links of others have it. */
  readonly uid: string;
  readonly title: string;
  readonly variables: readonly VariableName[];
  readonly rows: readonly Row[];
};

/** Queries use them as `=~"$name"`. Values that are not there (a process outside of Kubernetes has no namespace) match as well. */
const variables = {
  namespace: 'label_values({__name__=~"tollgate_config_generation|leader_election_master_status"}, namespace)',
  tenant: 'label_values(tollgate_tenant_requests_total{namespace=~"$namespace"}, tenant)',
  model: 'label_values(tollgate_attempts_total{namespace=~"$namespace"}, model)',
  provider: 'label_values(tollgate_attempts_total{namespace=~"$namespace"}, provider)',
} as const;
export type VariableName = keyof typeof variables;

const HEIGHTS = { stat: 4, graph: 8, table: 8 } as const;
const WIDTHS = { stat: 4, graph: 12, table: 12 } as const;
const COLUMNS = 24;
/** Grafana fills it in. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana's variable
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** As Grafana imports it. */
export function grafanaJson({ uid, title, variables: names, rows }: Dashboard): object {
  return {
    uid,
    title,
    tags: ['tollgate'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    timezone: '',
    templating: { list: [datasource, ...names.map(variable)] },
    links: [{ type: 'dashboards', tags: ['tollgate'], title: 'Tollgate', asDropdown: true, includeVars: true, keepTime: true }],
    panels: laidOut(rows),
  };
}

const datasource = { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', hide: 0, refresh: 1 };

const variable = (name: VariableName) => ({
  name,
  label: name[0]!.toUpperCase() + name.slice(1),
  type: 'query',
  datasource: SOURCE,
  query: { query: variables[name], refId: name },
  definition: variables[name],
  includeAll: true,
  allValue: '.*',
  multi: true,
  current: { selected: true, text: ['All'], value: ['$__all'] },
  refresh: 2,
  sort: 1,
  hide: 0,
});

function laidOut(rows: readonly Row[]): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const row of rows) {
    placed.push({
      id: idOf(`row ${row.title}`),
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y++;
    let x = 0;
    let lineHeight = 0;
    for (const panel of row.panels) {
      const w = panel.width ?? WIDTHS[panel.kind];
      const h = HEIGHTS[panel.kind];
      if (x + w > COLUMNS) {
        y += lineHeight;
        x = 0;
        lineHeight = 0;
      }
      placed.push({ ...panelJson(panel), id: idOf(`${row.title} ${panel.title}`), gridPos: { x, y, w, h } });
      x += w;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return placed;
}

/** Of its title, so that links to a panel outlive its move. FNV-1a, below what JavaScript and Grafana take for an id. */
export function idOf(title: string): number {
  let hash = 0x811c9dc5;
  for (const character of title) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  return (hash % 1_000_000) + 1;
}

const TYPES = { stat: 'stat', graph: 'timeseries', table: 'table' } as const;

function panelJson({ title, kind, unit, queries, help, stacked, warn }: Panel): object {
  return {
    type: TYPES[kind],
    title,
    ...(help !== undefined && { description: help }),
    datasource: SOURCE,
    targets: queries.map(({ expr, legend }, i) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + i),
      datasource: SOURCE,
      expr,
      legendFormat: legend ?? '__auto',
      ...(kind === 'graph' ? { range: true } : { instant: true }),
      ...(kind === 'table' && { format: 'table' }),
    })),
    fieldConfig: { defaults: fieldDefaults(kind, unit, stacked, warn), overrides: [] },
    options: OPTIONS[kind],
  };
}

function fieldDefaults(kind: Panel['kind'], unit: Unit, stacked: boolean | undefined, warn: Panel['warn']): object {
  const steps = [
    { color: 'green', value: null },
    ...(warn
      ? [
          { color: 'orange', value: warn[0] },
          { color: 'red', value: warn[1] },
        ]
      : []),
  ];
  return {
    unit,
    min: unit === 'percentunit' || kind === 'graph' ? 0 : null,
    color: { mode: kind === 'graph' ? 'palette-classic' : 'thresholds' },
    thresholds: { mode: 'absolute', steps },
    ...(kind === 'graph' && {
      custom: {
        lineWidth: 1,
        fillOpacity: stacked ? 30 : 10,
        showPoints: 'never',
        stacking: { mode: stacked ? 'normal' : 'none' },
      },
    }),
  };
}

const OPTIONS = {
  stat: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value', graphMode: 'area' },
  graph: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' } },
  table: { showHeader: true, sortBy: [{ displayName: 'Value', desc: true }] },
} as const;

export const graph = (title: string, unit: Unit, queries: readonly Query[] | string, more: Partial<Panel> = {}): Panel => ({
  title,
  kind: 'graph',
  unit,
  queries: typeof queries === 'string' ? [{ expr: queries }] : queries,
  ...more,
});
export const stat = (title: string, unit: Unit, expr: string, more: Partial<Panel> = {}): Panel => ({
  title,
  kind: 'stat',
  unit,
  queries: [{ expr }],
  ...more,
});
export const table = (title: string, unit: Unit, expr: string, more: Partial<Panel> = {}): Panel => ({
  title,
  kind: 'table',
  unit,
  queries: [{ expr }],
  ...more,
});

/** Percentiles of a histogram. */
export const percentiles = (histogram: string, selector: string, by = ''): readonly Query[] =>
  [0.5, 0.95, 0.99].map(q => ({
    expr: `histogram_quantile(${q}, sum by (le${by && `, ${by}`}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`,
    legend: `p${q * 100}${by && ` {{${by}}}`}`,
  }));
