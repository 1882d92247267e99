// What recorded answers cost, by our own arithmetic and by that of the bundled price list's library, which reads the usage by itself
// and counts in floating point.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { calcPrice, extractUsage, findProvider, type Provider as ListedProvider, type Usage } from '@pydantic/genai-prices';
import { costOf } from '#core/accounting/cost.ts';
import { cataloguePrice } from '#core/compile/prices.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { compatibleProfile, openAIDialect, responsesWire } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';
import { exchangesIn, withoutRecordings as skip } from '#test/support/recordings.ts';

/** Bodies of one provider's whole answers, by file name, and their models: some wires have these in the path. */
function answersIn({ folder, path: end }: Case): { name: string; body: Record<string, unknown>; model: string }[] {
  const asked = new RegExp(`/${end}(\\?|$)`);
  return exchangesIn(`pydantic-ai/${folder}/*.yaml`).flatMap(({ name, uri, json: body }) => {
    const inPath = /\/model\/([^/]+)\//.exec(uri)?.[1];
    const model = inPath ? decodeURIComponent(inPath) : String(body?.model);
    return body?.usage && asked.test(uri) ? [{ name, body, model }] : [];
  });
}

type Case = {
  readonly folder: string;
  /** How the path of what was asked ends. */
  readonly path: string;
  readonly id: string;
  readonly flavor: string;
  readonly reader: Pick<Provider, 'decodeReply'>;
};
const cases: readonly Case[] = [
  { folder: 'test_openai', path: 'chat/completions', id: 'openai', flavor: 'chat', reader: openAIDialect },
  {
    folder: 'test_openai_responses',
    path: 'responses',
    id: 'openai',
    flavor: 'responses',
    reader: responsesWire(compatibleProfile, 'own', () => ({ origin: '', path: '', headers: {} })),
  },
  { folder: 'test_anthropic', path: 'messages', id: 'anthropic', flavor: 'default', reader: anthropic },
  { folder: 'test_groq', path: 'chat/completions', id: 'groq', flavor: 'default', reader: openAIDialect },
  { folder: 'test_deepseek', path: 'chat/completions', id: 'deepseek', flavor: 'chat', reader: openAIDialect },
  { folder: 'test_mistral', path: 'chat/completions', id: 'mistral', flavor: 'default', reader: openAIDialect },
  { folder: 'test_bedrock', path: 'converse', id: 'aws', flavor: 'default', reader: converse },
];

const at = Date.parse('2026-11-21T00:00:00Z');
const HOUR = 3_600_000;

/** Some prices depend on the hour, of which ours is the dearest (platform/price-catalogue.ts). */
function dearest(usage: Usage, model: string, provider: ListedProvider): number | undefined {
  const prices = Array.from({ length: 24 }, (_, hour) =>
    calcPrice(usage, model, { provider, timestamp: new Date(at + hour * HOUR) }),
  );
  return prices.includes(null) ? undefined : Math.max(...prices.map(price => price!.total_price));
}

describe('the cost of recorded answers', { skip }, async () => {
  const catalogue = await loadPriceCatalogue();
  for (const { id, flavor, reader, ...where } of cases)
    test(`of ${where.folder} is what the price list's own library says, to the nano-dollar`, () => {
      const provider = findProvider({ providerId: id })!;
      let compared = 0;
      for (const { name, body, model } of answersIn({ id, flavor, reader, ...where })) {
        const listed = catalogue.find({ id }, model, at);
        const price = listed && cataloguePrice(listed, id === 'anthropic', '1');
        const theirs = dearest(extractUsage(provider, body, flavor).usage, model, provider);
        if (!price || theirs === undefined) continue;
        const reply = reader.decodeReply(body);
        assert.ok(reply.ok && reply.value.usage, name);
        const ours = costOf(reply.value.usage, price) / 1e9;
        assert.ok(Math.abs(ours - theirs) <= 1e-9, `${name}: ${ours} here, ${theirs} there`);
        compared++;
      }
      console.log(`${where.folder}: ${compared} answers compared`);
      assert.ok(compared > 0);
    });
});
