// Counts over a sliding window, in constant memory: slices that rotate, so that the window is at least nine tenths of its span long.

const SLICES = 10;

/** A few numbered lanes, counted together. The span may change from call to call; a change forgets what was counted. */
export class SlidingCounts {
  readonly #lanes: number;
  /** One slice after the other. */
  readonly #slices: Uint32Array;
  readonly #sums: Uint32Array;
  #all = 0;
  #width = 0;
  /** The newest slice, counted from the beginning of the clock. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(lanes: number) {
    this.#lanes = lanes;
    this.#slices = new Uint32Array(lanes * SLICES);
    this.#sums = new Uint32Array(lanes);
  }

  /** @param span of the window, in the unit of `now` */
  add(lane: number, span: number, now: number): void {
    this.#turnTo(span, now);
    this.#slices[(this.#newest % SLICES) * this.#lanes + lane]!++;
    this.#sums[lane]!++;
    this.#all++;
  }

  sum(lane: number, span: number, now: number): number {
    this.#turnTo(span, now);
    return this.#sums[lane]!;
  }

  /** Over all lanes. */
  all(span: number, now: number): number {
    this.#turnTo(span, now);
    return this.#all;
  }

  /** The lane in which the sum over the lanes from the first on reaches `rank`; the last one where it never does. */
  laneOf(rank: number, span: number, now: number): number {
    this.#turnTo(span, now);
    let lane = 0;
    for (let seen = this.#sums[0]!; seen < rank && lane < this.#lanes - 1; seen += this.#sums[lane]!) lane++;
    return lane;
  }

  clear(): void {
    this.#slices.fill(0);
    this.#sums.fill(0);
    this.#all = 0;
  }

  /** A clock that is set back counts in the newest slice until it has caught up. */
  #turnTo(span: number, now: number): void {
    const width = Math.max(1, span / SLICES);
    if (width !== this.#width) {
      if (this.#width !== 0) this.clear();
      this.#width = width;
      this.#newest = Math.floor(now / width);
      return;
    }
    const slice = Math.floor(now / width);
    if (slice <= this.#newest) return;
    if (slice - this.#newest >= SLICES) this.clear();
    else for (let old = this.#newest + 1; old <= slice; old++) this.#empty(old % SLICES);
    this.#newest = slice;
  }

  #empty(slot: number): void {
    const from = slot * this.#lanes;
    for (let lane = 0; lane < this.#lanes; lane++) {
      const count = this.#slices[from + lane]!;
      if (count === 0) continue;
      this.#slices[from + lane] = 0;
      this.#sums[lane]! -= count;
      this.#all -= count;
    }
  }
}
