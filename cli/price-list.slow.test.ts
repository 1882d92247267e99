// The bundled price list against the package it is made from: every name that finds a model there finds the same one here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcPrice, findProvider, type MatchLogic, type Provider, waitForUpdate } from '@pydantic/genai-prices';
import { type Owner, readPriceList } from '#platform/price-list.ts';

const at = new Date('2026-11-21T00:00:00Z');
const providers = (await waitForUpdate()) ?? [];
const list = await readPriceList();

function* textsOf(match: MatchLogic): Generator<string> {
  if ('or' in match) for (const each of match.or) yield* textsOf(each);
  else if ('and' in match) yield match.and.flatMap(each => [...textsOf(each)]).join('-');
  else yield Object.values(match)[0]!;
}

const names = new Set(
  providers.flatMap(({ models }) =>
    models.flatMap(({ id, match }) =>
      [id, ...textsOf(match)].flatMap(name => [name, ` ${name.toUpperCase()}`, `${name}-20260131`]),
    ),
  ),
);

function agree(provider: Provider | undefined, owner: Owner, name: string): boolean {
  const theirs = provider && calcPrice({}, name, { provider, timestamp: at })?.model;
  const ours = list.modelOf(owner, name);
  assert.deepEqual(ours?.match, theirs?.match, `${JSON.stringify(owner)} ${name}`);
  assert.deepEqual(ours?.prices, theirs?.prices, name);
  assert.equal(ours?.context_window, theirs?.context_window, name);
  return ours !== undefined;
}

test('finds the models that the package finds, for each provider', () => {
  let found = 0;
  for (const provider of providers) for (const name of names) if (agree(provider, { id: provider.id }, name)) found++;
  assert.ok(found > providers.length);
});

test("finds the owner of a URL, and of a model at a URL that is nobody's", () => {
  let found = 0;
  for (const name of names) {
    const provider = findProvider({ modelId: name });
    if (agree(provider, { url: 'http://127.0.0.1:4010/v1' }, name)) found++;
  }
  assert.ok(found > 100);
  for (const url of ['https://api.openai.com/v1', 'https://api.groq.com/openai/v1', 'https://eu.openai.azure.com/openai'])
    agree(findProvider({ providerApiUrl: url }), { url }, 'gpt-4o');
});
