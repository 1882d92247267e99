// What a model costs, as integers, from the first source that knows: the resource, a LiteLLM-format price file, the bundled catalogue.
import { billedTools } from '../chat/usage.ts';
import { isRecord } from '../json/record.ts';
import type { ModelSpec } from '../resources/provider.ts';
import { scaled } from '../resources/quantity.ts';
import type { Price, Rates, ServicePrice } from '../snapshot/snapshot.ts';
import { type NanoUsd, nanoUsd, type PicoUsd, picoUsd, type Tokens, tokens } from '../units.ts';

type TokenClass = Exclude<keyof Rates, 'perRequest' | 'perUnit' | 'perToolCall'>;

/** A model in the bundled catalogue, as plain data: decimal strings in US dollars for a million tokens, and for one request. */
export type CatalogueModel = {
  readonly rates: Partial<Readonly<Record<TokenClass, string>>>;
  readonly perRequest?: string;
  readonly tiers: readonly { readonly above: number; readonly rates: Partial<Readonly<Record<TokenClass, string>>> }[];
  readonly contextWindow?: number;
};

export type Catalogue = {
  readonly version: string;
  /** Whose model: an id of the catalogue, or whoever the URL belongs to (nobody known: whoever makes a model of this name). */
  readonly find: (
    owner: { readonly id: string } | { readonly url: string },
    model: string,
    at: number,
  ) => CatalogueModel | undefined;
};

/** A file in the format of LiteLLM's model_prices_and_context_window.json, parsed. */
export type PriceFile = {
  readonly version: string;
  readonly models: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** What a source knows: only the classes it names. */
type Known = {
  readonly classes: Partial<Record<TokenClass, PicoUsd>>;
  readonly perRequest: NanoUsd;
  readonly perUnit?: NanoUsd;
  readonly perToolCall?: Rates['perToolCall'];
};

const PER_MILLION = 6; // USD per million tokens -> pico-dollars per token
const PER_TOKEN = 12; // USD per token -> pico-dollars per token
const NANO = 9;
const MILLIONTHS = 6;

/** Absent classes cost what their parent class costs. */
function ratesOf({ classes, perRequest, perUnit, perToolCall }: Known, surchargesCacheWrites: boolean): Rates {
  const input = classes.input ?? picoUsd(0);
  const output = classes.output ?? picoUsd(0);
  const cacheWrite5m = classes.cacheWrite5m ?? (surchargesCacheWrites ? picoUsd(Math.ceil((input * 5) / 4)) : input);
  return {
    input,
    cacheRead: classes.cacheRead ?? input,
    cacheWrite5m,
    cacheWrite1h: classes.cacheWrite1h ?? (surchargesCacheWrites ? picoUsd(input * 2) : cacheWrite5m),
    output,
    reasoning: classes.reasoning ?? output,
    audioInput: classes.audioInput ?? input,
    audioOutput: classes.audioOutput ?? output,
    perRequest,
    ...(perUnit !== undefined && { perUnit }),
    ...(perToolCall && { perToolCall }),
  };
}

/** The classes of `fields` as pico-dollars per token; those that are absent or no number stay out. */
function classesOf(fields: Readonly<Record<string, unknown>>, names: Partial<Record<TokenClass, string>>, decimals: number) {
  const classes: Partial<Record<TokenClass, PicoUsd>> = {};
  for (const [name, field] of Object.entries(names) as [TokenClass, string][]) {
    const pico = decimalAt(fields, field, decimals);
    if (pico !== undefined) classes[name] = picoUsd(pico);
  }
  return classes;
}

/** JSON numbers are read by their shortest decimal text, which is what stands in the file. */
function decimalAt(fields: Readonly<Record<string, unknown>>, field: string, decimals: number): number | undefined {
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? scaled(String(value), decimals) : undefined;
}

// ---------------------------------------------------------------- the resource

const RESOURCE_FIELDS = {
  input: 'inputPerMTok',
  cacheRead: 'cachedInputPerMTok',
  cacheWrite5m: 'cacheWritePerMTok',
  output: 'outputPerMTok',
  audioInput: 'audioInputPerMTok',
  audioOutput: 'audioOutputPerMTok',
} as const;

type ResourcePrice = NonNullable<ModelSpec['price']>;

/** @param list the price without that of the resource: it says the rest, where the resource prices nothing but calls of tools */
export function resourcePrice(
  price: ResourcePrice,
  surcharges: boolean,
  version: string,
  list: () => Price | undefined,
): Price | undefined {
  const { maxToolCalls } = price;
  const bounded = maxToolCalls !== undefined && { maxToolCalls };
  const perToolCall = price.perToolCall && toolPricesOf(price.perToolCall);
  const services = servicesOf(price);
  if (pricesExtrasAlone(price)) {
    const listed = list();
    return listed && { ...withToolPrices(listed, perToolCall), ...bounded, ...withServices(services, listed) };
  }
  const known = {
    classes: classesOf(price, RESOURCE_FIELDS, PER_MILLION),
    perRequest: nanoUsd(decimalAt(price, 'perRequest', NANO) ?? 0),
    ...unitAt(price, ['perUnit']),
    ...(perToolCall && { perToolCall }),
  };
  const { gpus } = price;
  const hour = decimalAt(price, 'gpuHour', NANO);
  const gpu = gpus !== undefined && hour !== undefined && { gpu: { hour: nanoUsd(hour), gpus } };
  return {
    source: 'provider',
    version,
    rates: ratesOf(known, surcharges),
    tiers: [],
    ...gpu,
    ...bounded,
    ...withServices(services),
  };
}

/** What the model costs besides is left to the lists. */
export const pricesExtrasAlone = ({
  perToolCall,
  maxToolCalls,
  serviceTiers,
  ...others
}: Readonly<Record<string, unknown>>): boolean =>
  (perToolCall ?? maxToolCalls ?? serviceTiers) !== undefined && Object.values(others).every(value => value === undefined);

const servicesOf = ({ serviceTiers = [] }: ResourcePrice): readonly ServicePrice[] =>
  serviceTiers.map(({ name, multiplier }) => ({ name, multiplier: scaled(multiplier, MILLIONTHS)! }));

/** Those of the list that are not told anew stay. */
function withServices(services: readonly ServicePrice[], { services: listed = [] }: Pick<Price, 'services'> = {}) {
  const others = listed.filter(({ name }) => !services.some(service => service.name === name));
  const all = [...services, ...others];
  return all.length > 0 ? { services: all } : {};
}

type ToolPrices = NonNullable<Rates['perToolCall']>;

function toolPricesOf(fields: Readonly<Record<string, unknown>>): ToolPrices {
  const prices = billedTools.map(tool => [tool, decimalAt(fields, tool, NANO)] as const);
  return Object.fromEntries(prices.flatMap(([tool, nano]) => (nano === undefined ? [] : [[tool, nanoUsd(nano)]])));
}

function withToolPrices(price: Price, perToolCall: ToolPrices | undefined): Price {
  if (!perToolCall) return price;
  const priced = (rates: Rates): Rates => ({ ...rates, perToolCall: { ...rates.perToolCall, ...perToolCall } });
  return { ...price, rates: priced(price.rates), tiers: price.tiers.map(tier => ({ ...tier, rates: priced(tier.rates) })) };
}

/** The dearest of these prices of a unit, where there is one. */
function unitAt(fields: Readonly<Record<string, unknown>>, names: readonly string[]): Pick<Known, 'perUnit'> {
  const prices = names.map(name => decimalAt(fields, name, NANO) ?? 0);
  const dearest = Math.max(...prices);
  return dearest > 0 ? { perUnit: nanoUsd(dearest) } : {};
}

// ---------------------------------------------------------------- a LiteLLM-format file

/** A model has one of them: it draws, listens or reads aloud. */
const FILE_UNITS = [
  'output_cost_per_image',
  'input_cost_per_image',
  'input_cost_per_second',
  'output_cost_per_second',
  'input_cost_per_character',
];

const FILE_FIELDS = {
  input: 'input_cost_per_token',
  cacheRead: 'cache_read_input_token_cost',
  cacheWrite5m: 'cache_creation_input_token_cost',
  cacheWrite1h: 'cache_creation_input_token_cost_above_1hr',
  output: 'output_cost_per_token',
  reasoning: 'output_cost_per_reasoning_token',
  audioInput: 'input_cost_per_audio_token',
  audioOutput: 'output_cost_per_audio_token',
} as const satisfies Record<TokenClass, string>;

type Fields = Readonly<Record<string, unknown>>;

/** The limits and the price that a file gives a model. */
type FileModel = { readonly price?: Price; readonly contextWindow?: Tokens; readonly maxOutputTokens?: Tokens };

export function fileModel(file: PriceFile, names: readonly string[], surcharges: boolean): FileModel | undefined {
  const name = names.find(candidate => Object.hasOwn(file.models, candidate));
  const listed = name === undefined ? undefined : file.models[name];
  if (listed === undefined) return undefined;
  const fields = withPictures(listed);
  const known = {
    classes: classesOf(fields, FILE_FIELDS, PER_TOKEN),
    perRequest: nanoUsd(decimalAt(fields, 'input_cost_per_request', NANO) ?? 0),
    ...unitsOfFile(fields),
    ...toolsOfFile(fields),
  };
  const isPriced = Object.keys(known.classes).length > 0 || known.perRequest > 0 || known.perUnit !== undefined;
  const sizesOf = (of: Fields) => {
    const knownOf = { ...known, classes: classesOf(of, FILE_FIELDS, PER_TOKEN) };
    return { rates: ratesOf(knownOf, surcharges), tiers: fileTiers(of, knownOf, surcharges) };
  };
  return {
    ...(isPriced && { price: { source: 'file', version: file.version, ...sizesOf(fields), ...servicesOfFile(fields, sizesOf) } }),
    ...limitAt(fields, 'max_input_tokens', 'contextWindow'),
    ...limitAt(fields, 'max_output_tokens', 'maxOutputTokens'),
  };
}

/** What is drawn is counted as what is spoken is (see Usage). */
function withPictures(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { output_cost_per_image_token: drawn, output_cost_per_audio_token: spoken = drawn } = fields;
  return spoken === undefined ? fields : { ...fields, output_cost_per_audio_token: spoken };
}

const PER_THOUSAND = 6; // USD for a thousand -> nano-dollars for one

/** A search is as dear as its largest context: what a request asks for is not told by its answer. */
function toolsOfFile(fields: Readonly<Record<string, unknown>>): Pick<Known, 'perToolCall'> {
  const bySize = isRecord(fields.search_context_cost_per_query) ? fields.search_context_cost_per_query : {};
  const searches = Object.keys(bySize).map(size => decimalAt(bySize, size, NANO) ?? 0);
  const prices = [
    ['webSearch', searches.length > 0 ? Math.max(...searches) : undefined],
    ['fileSearch', decimalAt(fields, 'file_search_cost_per_1k_calls', PER_THOUSAND)],
    ['codeExecution', decimalAt(fields, 'code_interpreter_cost_per_session', NANO)],
  ] as const;
  const known = prices.flatMap(([tool, nano]) => (nano === undefined ? [] : [[tool, nanoUsd(nano)]]));
  return known.length > 0 ? { perToolCall: Object.fromEntries(known) } : {};
}

/** Chat models have a price of an image as well, which is none of a picture that they draw. */
const unitsOfFile = (fields: Readonly<Record<string, unknown>>) =>
  UNIT_MODES.has(String(fields.mode)) ? unitAt(fields, FILE_UNITS) : {};
const UNIT_MODES: ReadonlySet<string> = new Set(['image_generation', 'audio_transcription', 'audio_speech']);

const limitAt = (fields: Readonly<Record<string, unknown>>, field: string, name: 'contextWindow' | 'maxOutputTokens') => {
  const limit = fields[field];
  return typeof limit === 'number' && Number.isSafeInteger(limit) && limit > 0 ? { [name]: tokens(limit) } : {};
};

/** `input_cost_per_token_above_200k_tokens` and the like; a class without such a field keeps its price. */
function fileTiers(fields: Readonly<Record<string, unknown>>, known: Known, surcharges: boolean): Price['tiers'] {
  const thresholds = new Set(
    Object.keys(fields).flatMap(field => /^(?:input|output)_cost_per_token_above_([0-9]{1,6})k_tokens$/.exec(field)?.[1] ?? []),
  );
  const suffixed = (k: string) =>
    Object.fromEntries(Object.entries(FILE_FIELDS).map(([name, field]) => [name, `${field}_above_${k}k_tokens`]));
  return [...thresholds]
    .sort((a, b) => Number(a) - Number(b))
    .map(k => {
      const classes = { ...known.classes, ...classesOf(fields, suffixed(k), PER_TOKEN) };
      return { above: tokens(Number(k) * 1000), rates: ratesOf({ ...known, classes }, surcharges) };
    });
}

const FILE_SERVICES = ['priority', 'flex'] as const;

/** `input_cost_per_token_priority` and the like, for prompts of every size; and Anthropic's `provider_specific_entry`, which are multipliers. */
function servicesOfFile(fields: Fields, sizesOf: (fields: Fields) => Pick<Price, 'rates' | 'tiers'>): Pick<Price, 'services'> {
  const own = FILE_SERVICES.filter(name => Object.keys(fields).some(field => isRateOf(field, name)));
  const multipliers = isRecord(fields.provider_specific_entry) ? fields.provider_specific_entry : {};
  return withServices([
    ...own.map(name => ({ name, ...sizesOf(fieldsOfService(fields, name)) })),
    ...Object.keys(multipliers).flatMap(name => {
      const multiplier = decimalAt(multipliers, name, MILLIONTHS);
      return multiplier === undefined ? [] : [{ name: name.toLowerCase(), multiplier }];
    }),
  ]);
}

const isRateOf = (field: string, service: string): boolean =>
  /_token_cost|_cost_per_/.test(field) && field.endsWith(`_${service}`);

/** The fields as if the service were the standard. A rate that has none of its own is as many times dearer as the dearest of those that have, and never cheaper. */
function fieldsOfService(fields: Fields, service: string): Fields {
  const own = new Map(
    Object.keys(fields)
      .filter(field => isRateOf(field, service))
      .map(field => [field.slice(0, -service.length - 1), decimalAt(fields, field, PER_TOKEN) ?? 0]),
  );
  const times = [...own].map(([field, rate]) => rate / (decimalAt(fields, field, PER_TOKEN) || Number.POSITIVE_INFINITY));
  const dearest = Math.max(1, ...times);
  const changed = Object.keys(fields)
    .filter(field => FILE_RATE.test(field))
    .map(field => [field, own.get(field) ?? Math.ceil((decimalAt(fields, field, PER_TOKEN) ?? 0) * dearest)] as const);
  return Object.fromEntries([...changed, ...own].map(([field, pico]) => [field, `${pico}e-${PER_TOKEN}`]));
}

/** Of tokens, of prompts of any size. */
const FILE_RATE = new RegExp(`^(?:${Object.values(FILE_FIELDS).join('|')})(?:_above_[0-9]+k_tokens)?$`);

// ---------------------------------------------------------------- the bundled catalogue

const SAME_NAMES = {
  input: 'input',
  cacheRead: 'cacheRead',
  cacheWrite5m: 'cacheWrite5m',
  cacheWrite1h: 'cacheWrite1h',
  output: 'output',
  reasoning: 'reasoning',
  audioInput: 'audioInput',
  audioOutput: 'audioOutput',
} as const satisfies Record<TokenClass, TokenClass>;

export function cataloguePrice(model: CatalogueModel, surcharges: boolean, version: string): Price | undefined {
  const perRequest = nanoUsd(scaled(model.perRequest ?? '0', NANO) ?? 0);
  const price = (rates: CatalogueModel['rates']) =>
    ratesOf({ classes: classesOf(rates, SAME_NAMES, PER_MILLION), perRequest }, surcharges);
  if (Object.keys(model.rates).length === 0 && perRequest === 0) return undefined;
  const tiers = model.tiers.map(({ above, rates }) => ({ above: tokens(above), rates: price({ ...model.rates, ...rates }) }));
  return { source: 'catalogue', version, rates: price(model.rates), tiers };
}
