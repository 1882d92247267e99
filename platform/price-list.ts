// The bundled price list: what cli/price-list.ts keeps of the package `@pydantic/genai-prices`, whose script takes 10 MiB. A provider is a line,
// and becomes objects when a model of it is asked for. Whose a model is, and which names it goes by, is found as the package does.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { MatchLogic, ModelInfo, Provider } from '@pydantic/genai-prices';

/** The first line of the file; the other lines are of `providers`, in this order. */
export type ListHeading = {
  readonly version: string;
  readonly providers: readonly Pick<Provider, 'id' | 'api_pattern' | 'model_match'>[];
};
export type PricedModel = Pick<ModelInfo, 'match' | 'prices' | 'context_window'>;
export type ListLine = Pick<Provider, 'fallback_model_providers'> & { readonly models: readonly PricedModel[] };

export type Owner = { readonly id: string } | { readonly url: string };

export type PriceList = {
  readonly version: string;
  /** @param owner of a URL that is nobody's: whoever makes models of such a name */
  modelOf(owner: Owner, name: string): PricedModel | undefined;
};

export const PRICE_LIST_FILE = 'platform/prices/list.jsonl';

export async function readPriceList(): Promise<PriceList> {
  const [first, ...lines] = (await readFile(path.join(import.meta.dirname, '..', PRICE_LIST_FILE), 'utf8')).split('\n');
  const { version, providers } = JSON.parse(first!) as ListHeading;
  const read = new Map<number, ListLine>();
  const lineAt = (index: number): ListLine | undefined => {
    if (index < 0) return undefined;
    const line = read.get(index) ?? (JSON.parse(lines[index]!) as ListLine);
    read.set(index, line);
    return line;
  };
  const lineNamed = (id: string) => lineAt(providers.findIndex(provider => provider.id === id));
  const lineOfUrl = (url: string, model: string): ListLine | undefined => {
    const atUrl = providers.findIndex(({ api_pattern }) => new RegExp(`^(?:${api_pattern})`).test(url));
    return lineAt(atUrl >= 0 ? atUrl : providers.findIndex(({ model_match }) => model_match && matches(model_match, model)));
  };
  const modelIn = (line: ListLine, name: string): PricedModel | undefined => {
    const own = line.models.find(({ match }) => matches(match, name));
    if (own) return own;
    for (const id of line.fallback_model_providers ?? []) {
      const other = lineNamed(id);
      const model = other && modelIn(other, name);
      if (model) return model;
    }
    return undefined;
  };
  return {
    version,
    modelOf(owner, model) {
      const line = 'id' in owner ? lineNamed(owner.id) : lineOfUrl(owner.url, model);
      const name = model.toLowerCase().trim();
      return line && (modelIn(line, name) ?? modelIn(line, withDashedDate(name)));
    },
  };
}

function matches(match: MatchLogic, name: string): boolean {
  if ('or' in match) return match.or.some(each => matches(each, name));
  if ('and' in match) return match.and.every(each => matches(each, name));
  if ('regex' in match) return new RegExp(match.regex).test(name);
  const lower = name.toLowerCase();
  if ('equals' in match) return lower === match.equals.toLowerCase();
  if ('starts_with' in match) return lower.startsWith(match.starts_with.toLowerCase());
  if ('ends_with' in match) return lower.endsWith(match.ends_with.toLowerCase());
  return lower.includes(match.contains.toLowerCase());
}

const DATE = /-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g;

/** `model-20260131` as `model-2026-01-31`, which some names are in the list. */
function withDashedDate(name: string): string {
  return name.replace(DATE, (text, year, month, day) => {
    const isDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
    return isDay ? `-${year}-${month}-${day}` : text;
  });
}
