// What a price is where an answer is served otherwise than by the standard: faster, with priority, in one region alone.
import { AUTO, isStandard, type LevelAsked, mayBeDearer, type Service, type ServiceAsked } from '../chat/service.ts';
import type { Price, Rates, ServicePrice } from '../snapshot/snapshot.ts';
import { type PicoUsd, picoUsd } from '../units.ts';

/** The price of an answer that was served so. A level without a price of its own costs what the standard one does (`unpricedLevels`). */
export function priceAt(price: Price, service: Service | undefined): Price {
  const own = pricesOf(price, service);
  return own.length === 0 ? price : own.reduce(withService, price);
}

/** No answer to such a request costs more than by this price: the provider may serve it by the standard as well. */
export function dearestPrice(price: Price, asked: ServiceAsked | undefined): Price {
  const own = pricesOf(price, asked && Object.fromEntries(asked.map(({ aspect, level }) => [aspect, level])));
  return own.reduce((sofar, service) => dearer(sofar, withService(sofar, service)), price);
}

/** Levels at which nobody knows the price. */
export const unpricedLevels = (service: Service | undefined, price: Price): readonly string[] =>
  service ? Object.values(service).filter(level => isUnpriced(level, price)) : [];

/** The first level that a request asks for at which nobody knows the price. */
export const unknownLevel = (asked: ServiceAsked, price: Price): LevelAsked | undefined =>
  asked.find(({ level }) => isUnpriced(level, price));

const isUnpriced = (level: string, { services = [] }: Price): boolean =>
  mayBeDearer(level) && !services.some(({ name }) => name === level);

/** Rates of their own before multipliers, which are of any rates. Who names no tier has the one that the provider chooses. */
function pricesOf({ services }: Price, service: Service | undefined): readonly ServicePrice[] {
  if (!services) return [];
  const levels = Object.values({ tier: AUTO, ...service }).filter(level => !isStandard(level));
  const own = services.filter(({ name }) => levels.includes(name));
  return [...own.filter(({ rates }) => rates), ...own.filter(({ rates }) => !rates)];
}

function withService(price: Price, { rates, tiers = [], multiplier }: ServicePrice): Price {
  if (rates) return combined(price, { rates, tiers }, (standard, own) => mapped(standard, (_, name) => own[name]));
  const times = (of: Rates) => mapped(of, rate => multiplied(rate, multiplier!));
  return { ...price, rates: times(price.rates), tiers: price.tiers.map(tier => ({ ...tier, rates: times(tier.rates) })) };
}

const MILLION = 1_000_000n;
const multiplied = (rate: number, millionths: number): number =>
  Number((BigInt(rate) * BigInt(millionths) + MILLION - 1n) / MILLION);

/** Each rate of the one or of the other, whichever is more. */
const dearer = (one: Price, other: Price): Price =>
  combined(one, other, (a, b) => mapped(a, (rate, name) => Math.max(rate, b[name])));

type RatesBySize = Pick<Price, 'rates' | 'tiers'>;

/** Made of the rates of both, for prompts of every size. */
function combined(price: Price, other: RatesBySize, make: (of: Rates, other: Rates) => Rates): Price {
  const starts = new Set([...price.tiers, ...other.tiers].map(({ above }) => above));
  const at = (prompt: number, { rates, tiers }: RatesBySize) => tiers.findLast(({ above }) => prompt >= above)?.rates ?? rates;
  const tiers = [...starts].sort((a, b) => a - b).map(above => ({ above, rates: make(at(above, price), at(above, other)) }));
  return { ...price, rates: make(price.rates, other.rates), tiers };
}

const TOKEN_RATES = [
  'input',
  'cacheRead',
  'cacheWrite5m',
  'cacheWrite1h',
  'output',
  'reasoning',
  'audioInput',
  'audioOutput',
] as const satisfies readonly (keyof Rates)[];

/** Calls of tools and what is not counted in tokens cost the same at every level. */
function mapped(rates: Rates, change: (rate: number, name: (typeof TOKEN_RATES)[number]) => number): Rates {
  const changed = TOKEN_RATES.map(name => [name, picoUsd(change(rates[name], name))] as const);
  return { ...rates, ...(Object.fromEntries(changed) as Record<(typeof TOKEN_RATES)[number], PicoUsd>) };
}
