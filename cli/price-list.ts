// The bundled price list (platform/price-list.ts), from the package of the version that is installed: names, URLs and prices of models, and
// none of its descriptions.
import { type ModelInfo, type Provider, waitForUpdate } from '@pydantic/genai-prices';
import type { ListHeading, ListLine } from '#platform/price-list.ts';
import manifest from '../package.json' with { type: 'json' };

const providers = (await waitForUpdate()) ?? [];

export function priceListFile(): string {
  const heading: ListHeading = {
    version: `genai-prices-${manifest.devDependencies['@pydantic/genai-prices']}`,
    providers: providers.map(({ id, api_pattern, model_match }) => ({ id, api_pattern, ...(model_match && { model_match }) })),
  };
  return `${[heading, ...providers.map(lineOf)].map(line => JSON.stringify(line)).join('\n')}\n`;
}

const lineOf = ({ fallback_model_providers, models }: Provider): ListLine => ({
  ...(fallback_model_providers && { fallback_model_providers }),
  models: models.map(modelOf),
});

const modelOf = ({ match, prices, context_window }: ModelInfo) => ({
  match,
  ...(context_window !== undefined && { context_window }),
  prices,
});
