// What one scrape of an endpoint says, in the same words for every engine. What is missing or NaN is unknown, never 0.

/** One engine: there are several behind an endpoint with data parallelism. */
export type EngineReading = {
  /** Value of the label that tells it apart; '' where there is none. */
  readonly engine: string;
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kv: number | undefined;
  /** The sum of all counters that move while it works. */
  readonly progress: number | undefined;
  readonly awake: boolean | undefined;
};

/** LoRA adapters with requests at the moment, and how many there may be at once. */
export type Adapters = { readonly running: readonly string[]; readonly waiting: readonly string[]; readonly max: number };

export type Reading = {
  readonly engines: readonly EngineReading[];
  /** Of all engines together. */
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** Of the fullest engine: one without room holds up what lands on it. */
  readonly kvMax: number | undefined;
  readonly kvMean: number | undefined;
  /** Start of the process, seconds since the Unix epoch. */
  readonly startedAt: number | undefined;
  readonly adapters: Adapters | undefined;
};

export function readingOf(
  engines: readonly EngineReading[],
  { startedAt, adapters }: Pick<Reading, 'startedAt' | 'adapters'>,
): Reading {
  const known = (figure: (engine: EngineReading) => number | undefined) =>
    engines.map(figure).filter(value => value !== undefined);
  const sum = (values: readonly number[]) => (values.length === 0 ? undefined : values.reduce((a, b) => a + b));
  const kvs = known(engine => engine.kv);
  const kvSum = sum(kvs);
  return {
    engines,
    running: sum(known(engine => engine.running)),
    waiting: sum(known(engine => engine.waiting)),
    kvMax: kvs.length === 0 ? undefined : Math.max(...kvs),
    kvMean: kvSum === undefined ? undefined : kvSum / kvs.length,
    startedAt,
    adapters,
  };
}

/** Whether it tells anything that an endpoint could be judged by. */
export const tellsLoad = ({ waiting, kvMax }: Reading): boolean => waiting !== undefined || kvMax !== undefined;
