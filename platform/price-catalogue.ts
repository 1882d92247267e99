// What models cost by the bundled price list, as plain data.
import type { ModelPrice } from '@pydantic/genai-prices';
import { type Owner, type PricedModel, readPriceList } from './price-list.ts';

type Rates = {
  input?: string;
  cacheRead?: string;
  cacheWrite5m?: string;
  cacheWrite1h?: string;
  output?: string;
  reasoning?: string;
  audioInput?: string;
  audioOutput?: string;
};

export type ListedModel = {
  /** US dollars for a million tokens, as decimal strings. */
  readonly rates: Readonly<Rates>;
  /** US dollars for one request. */
  readonly perRequest?: string;
  /** What changes for a prompt of more than `above` tokens, ascending. */
  readonly tiers: readonly { readonly above: number; readonly rates: Readonly<Rates> }[];
  readonly contextWindow?: number;
};

export type PriceCatalogue = {
  readonly version: string;
  readonly find: (owner: Owner, model: string, at: number) => ListedModel | undefined;
};

export async function loadPriceCatalogue(): Promise<PriceCatalogue> {
  const { version, modelOf } = await readPriceList();
  return {
    version,
    find(owner, name, at) {
      const model = modelOf(owner, name);
      return model && listed(model, at);
    },
  };
}

const NAMES = {
  input_mtok: 'input',
  cache_read_mtok: 'cacheRead',
  cache_write_mtok: 'cacheWrite5m',
  cache_write_1h_mtok: 'cacheWrite1h',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning',
  input_audio_mtok: 'audioInput',
  output_audio_mtok: 'audioOutput',
  // What is drawn or filmed is counted as audio is. Of what goes in a model lists one rate, or the counts do not tell it apart.
  output_image_mtok: 'audioOutput',
  output_video_mtok: 'audioOutput',
} as const satisfies Record<string, keyof Rates>;
const CLASSES = Object.entries(NAMES) as [keyof typeof NAMES, keyof Rates][];

function listed(model: PricedModel, at: number): ListedModel {
  const price = priceAt(model, at);
  const { requests_kcount: perThousand } = price;
  return {
    rates: ratesAt(price, 0),
    ...(typeof perThousand === 'number' && { perRequest: decimal(perThousand / 1000) }),
    tiers: startsOf(price).map(above => ({ above, rates: ratesAt(price, above) })),
    ...(model.context_window !== undefined && { contextWindow: model.context_window }),
  };
}

/**
 * The last price that has begun. Where some hours of the day are dearer, theirs: a snapshot lives through the day, and a budget
 * must not be spent twice over before anyone notices.
 */
function priceAt({ prices }: PricedModel, at: number): ModelPrice {
  if (!Array.isArray(prices)) return prices;
  const peak = prices.findLast(({ constraint }) => constraint?.type === 'time_of_date');
  const begun = prices.findLast(
    ({ constraint }) => !constraint || (constraint.type === 'start_date' && Date.parse(constraint.start_date) <= at),
  );
  return (peak ?? begun)?.prices ?? {};
}

function startsOf(price: ModelPrice): number[] {
  const starts = CLASSES.flatMap(([field]) => {
    const rate = price[field];
    return typeof rate === 'object' ? rate.tiers.map(tier => tier.start) : [];
  });
  return [...new Set(starts)].sort((a, b) => a - b);
}

/** The rates of a prompt just longer than `start`. */
function ratesAt(price: ModelPrice, start: number): Rates {
  const rates: Rates = {};
  for (const [field, name] of CLASSES) {
    const rate = price[field];
    if (rate === undefined) continue;
    const amount = typeof rate === 'number' ? rate : (rate.tiers.findLast(tier => tier.start <= start)?.price ?? rate.base);
    rates[name] ??= decimal(amount);
  }
  return rates;
}

/** The shortest text that reads back as the same number, which is what stands in the list. */
const decimal = (amount: number): string => String(amount);
