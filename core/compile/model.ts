// A model of an LLMProvider -> ModelEntry.
import type { ModelSpec, ProviderSpec } from '../resources/provider.ts';
import type { ModelEntry } from '../snapshot/snapshot.ts';
import { millis, type Tokens, tokens } from '../units.ts';
import type { Context } from './context.ts';
import { type Resource, specPath } from './objects.ts';
import { cataloguePrice, fileModel, resourcePrice } from './prices.ts';
import { providerTypes, type TypeFacts } from './provider-types.ts';

/** Models that think before they speak. */
const FIRST_TOKEN_REASONING = millis(300_000);

/** The price and the limits come from the first source that knows them: the resource, the price file, the catalogue. */
export function compileModel(index: number, resource: Resource<'LLMProvider'>, context: Context): ModelEntry {
  const { draft, spec } = resource;
  const model = spec.models[index]!;
  const known = knownOf(model, resource, context);
  if (known.price === undefined) {
    const message = `the price of ${model.name} is not known, so its cost cannot be told`;
    draft.remark(specPath('models', index), message);
    draft.state('Accepted', 'True', 'Accepted', message);
  }
  const isSlowToSpeak = spec.timeouts.firstToken === undefined && model.capabilities.includes('Reasoning');
  return {
    name: model.name,
    upstreamName: model.upstreamName ?? model.name,
    aliases: model.aliases,
    capabilities: model.capabilities,
    ...(known.contextWindow !== undefined && { contextWindow: known.contextWindow }),
    ...(known.maxOutputTokens !== undefined && { maxOutputTokens: known.maxOutputTokens }),
    tier: model.tier,
    ...(known.price && { price: known.price }),
    ...(isSlowToSpeak && { firstToken: FIRST_TOKEN_REASONING }),
  };
}

function knownOf(model: ModelSpec, resource: Resource<'LLMProvider'>, context: Context) {
  const facts = providerTypes[resource.spec.type];
  const upstream = model.upstreamName ?? model.name;
  const names = facts.pricedByPublicName ? [upstream, model.name] : [upstream];
  const surcharges = names.some(name => facts.surchargesCacheWrites?.test(name));
  const prefixed = names.flatMap(name => [`${facts.priceFilePrefix}/${name}`, name]);
  const file = context.priceFile && fileModel(context.priceFile, prefixed, surcharges);
  const listed = inCatalogue(names, resource.spec, facts, context);
  const listPrice = () => file?.price ?? (listed && cataloguePrice(listed, surcharges, context.catalogue.version));
  return {
    // A price by GPU time is the user's word that list prices do not apply.
    price: model.price ? resourcePrice(model.price, surcharges, versionOf(model, resource, context), listPrice) : listPrice(),
    contextWindow: asTokens(model.contextWindow) ?? file?.contextWindow ?? asTokens(listed?.contextWindow),
    maxOutputTokens: asTokens(model.maxOutputTokens) ?? file?.maxOutputTokens,
  };
}

/** Files have no generation: there the price itself is its version. */
const versionOf = ({ price }: ModelSpec, { generation }: Resource, { digest }: Context): string =>
  generation === undefined ? digest(JSON.stringify(price)).slice(0, 12) : `generation-${generation}`;

const asTokens = (count: number | undefined): Tokens | undefined => (count === undefined ? undefined : tokens(count));

function inCatalogue(names: readonly string[], spec: ProviderSpec, facts: TypeFacts, { catalogue, now }: Context) {
  if (facts.catalogue === undefined) return undefined;
  const owner = facts.catalogue === 'by-url' ? { url: facts.urls(spec)[0]?.url ?? '' } : { id: facts.catalogue };
  for (const name of names) {
    const found = catalogue.find(owner, name, now);
    if (found !== undefined) return found;
  }
  return undefined;
}
