// Metrics as data: each is declared once, and registered, written out and documented from there. Counts that grow with every request are
// kept in plain fields and read when somebody scrapes, as prom-client takes 0.5 to 1 µs to find a series by its labels.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type MetricSpec = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly unit: string;
  readonly labels: readonly string[];
  /** Upper bounds; of histograms only. */
  readonly buckets?: readonly number[];
  /** What bounds its series, where that is not the product of what bounds its labels. */
  readonly bound?: string;
};

export type MetricTable = Readonly<Record<string, MetricSpec>>;

type LabelOf<S extends MetricSpec> = S['labels'][number];

const declared = ({ name, help, labels }: MetricSpec, registry: Registry) => ({
  name,
  help,
  labelNames: [...labels],
  registers: [registry],
});

export const counterOf = <S extends MetricSpec>(registry: Registry, spec: S): Counter<LabelOf<S>> =>
  new Counter<string>(declared(spec, registry));

export const histogramOf = <S extends MetricSpec>(registry: Registry, spec: S): Histogram<LabelOf<S>> =>
  new Histogram<string>({ ...declared(spec, registry), buckets: [...(spec.buckets ?? [])] });

/** @param collect present: makes all series anew for each scrape */
export const gaugeOf = <S extends MetricSpec>(
  registry: Registry,
  spec: S,
  collect?: (gauge: Gauge<LabelOf<S>>) => void,
): Gauge<LabelOf<S>> =>
  new Gauge<string>({
    ...declared(spec, registry),
    ...(collect && {
      collect() {
        this.reset();
        collect(this);
      },
    }),
  });

/** How often a value was at most each of these bounds. */
export class Distribution {
  /** Ascending. */
  readonly bounds: readonly number[];
  /** Of each bound those above the one before it; the last: above all of them. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= bounds[middle]!) high = middle;
      else low = middle + 1;
    }
    this.counts[low]!++;
    this.sum += value;
  }

  /** @param other over the same bounds */
  add(other: Distribution): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i]! += other.counts[i]!;
    this.sum += other.sum;
  }
}

/** Label values parallel to the labels of the metric; an empty value is a label that is not there. */
export type Sample = readonly [values: readonly string[], value: number | Distribution];

/** A metric that is read from somewhere else when somebody scrapes. */
export type Derived = { readonly spec: MetricSpec; samples(): Iterable<Sample> | Promise<Iterable<Sample>> };

/** In the text format of Prometheus, without an empty line; '' where there is no series. */
export function exposed(spec: MetricSpec, samples: Iterable<Sample>): string {
  const lines = [`# HELP ${spec.name} ${escapedHelp(spec.help)}`, `# TYPE ${spec.name} ${spec.type}`];
  for (const [values, value] of samples) {
    const labels = labelText(spec.labels, values);
    if (typeof value === 'number') lines.push(`${spec.name}${labels && `{${labels}}`} ${value}`);
    else pushHistogram(lines, spec, labels, value);
  }
  return lines.length === 2 ? '' : `${lines.join('\n')}\n`;
}

function pushHistogram(lines: string[], { name, buckets = [] }: MetricSpec, labels: string, value: Distribution): void {
  const start = `${name}_bucket{${labels}${labels && ','}le="`;
  const { bounds, counts } = value;
  let total = 0;
  let at = 0;
  for (const bucket of buckets) {
    while (at < bounds.length && bounds[at]! <= bucket) total += counts[at++]!;
    lines.push(`${start}${bucket}"} ${total}`);
  }
  while (at < counts.length) total += counts[at++]!;
  const braced = labels && `{${labels}}`;
  lines.push(`${start}+Inf"} ${total}`, `${name}_sum${braced} ${value.sum}`, `${name}_count${braced} ${total}`);
}

function labelText(names: readonly string[], values: readonly string[]): string {
  let text = '';
  for (const [i, value] of values.entries()) if (value !== '') text += `${text && ','}${names[i]}="${escaped(value)}"`;
  return text;
}

const SPECIAL = /[\\"\n\r\u2028\u2029]/g;
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const escaped = (text: string): string => text.replace(SPECIAL, found => escapes[found] ?? ' ');
const escapedHelp = (text: string): string => text.replace(/[\\\n]/g, found => escapes[found]!);
