// A Prometheus histogram: how many values lay at or below each bound.

export type HistogramReading = {
  readonly bounds: readonly number[];
  /** Cumulative, one for each bound. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
};

export class Histogram implements HistogramReading {
  readonly bounds: readonly number[];
  readonly counts: number[];
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.count += 1;
    this.sum += value;
    for (let at = this.bounds.length - 1; at >= 0 && value <= this.bounds[at]!; at--) this.counts[at]! += 1;
  }
}
