import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ratesOf } from '#test/support/any-rates.ts';
import { costBound } from '../admission/bound.ts';
import { levelOf, type ServiceAspect, servedAs } from '../chat/service.ts';
import { noUsage, promptTokens, type Usage } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { millis, nanoUsd, tokens } from '../units.ts';
import { costOf, isPartlyPriced } from './cost.ts';
import { priceAt, unknownLevel } from './service-price.ts';

const flat = (input: number, output: number): Rates => {
  const ofInput = { input, cacheRead: input, cacheWrite5m: input, cacheWrite1h: input, audioInput: input };
  return { ...ofInput, output, reasoning: output, audioOutput: output, perRequest: 0 } as unknown as Rates;
};
const price = (services: Price['services']): Price => ({
  source: 'provider',
  version: '1',
  rates: flat(1000, 2000),
  tiers: [{ above: tokens(100), rates: flat(3000, 4000) }],
  ...(services && { services }),
});
const used = (inputUncached: number, service?: Usage['service']): Usage => ({
  ...noUsage,
  inputUncached: tokens(inputUncached),
  ...(service && { service }),
});
const times = (name: string, multiplier: number) => ({ name, multiplier: multiplier * 1e6 });

describe('what an answer costs that was served otherwise', () => {
  const priced = price([times('priority', 1.75), times('flex', 0.5), times('us', 1.1), times('fast', 6)]);
  const rows: [sentence: string, service: Usage['service'], input: number, nano: number][] = [
    ['as many times the price of tokens', { tier: 'priority' }, 100, 175],
    ['long prompts as well', { tier: 'priority' }, 1000, 5250],
    ['less, where it is cheaper', { tier: 'flex' }, 100, 50],
    ['two things at once, both times', { speed: 'fast', region: 'us' }, 100, 660],
    ['the standard price, by whatever name', { tier: 'default', region: 'not_available' }, 100, 100],
    ['the standard price, where it was paid for beforehand', { tier: 'scale' }, 100, 100],
  ];
  for (const [sentence, service, input, nano] of rows)
    test(sentence, () => {
      assert.equal(costOf(used(input, service), priced), nano);
      assert.equal(isPartlyPriced(used(input, service), priced), false);
    });

  test('rates of their own replace all others, sizes of prompts included', () => {
    const own = price([times('us', 1.1), { name: 'priority', rates: flat(7000, 0), tiers: [] }]);
    assert.equal(costOf(used(1000, { tier: 'priority' }), own), 7000);
    assert.equal(costOf(used(1000, { tier: 'priority', region: 'us' }), own), 7700);
  });

  test('is rounded up to a whole rate', () => {
    assert.equal(priceAt(price([{ name: 'us', multiplier: 1_000_001 }]), { region: 'us' }).rates.input, 1001);
  });

  test('a request that names no tier has that which the provider chooses', () => {
    const auto = price([times('auto', 2), times('flex', 0.5)]);
    const costs = [undefined, { tier: 'auto' }, { tier: 'default' }, { tier: 'flex' }].map(service =>
      costOf(used(100, service), auto),
    );
    assert.deepEqual(costs, [200, 200, 100, 50]);
  });

  test('what is not counted in tokens costs the same at every level', () => {
    const own = { ...priced.rates, perRequest: nanoUsd(7) };
    const flex = { ...priced, services: [{ name: 'flex', rates: own, tiers: [] }] };
    assert.equal(costOf(used(0, { tier: 'flex' }), flex), costOf(used(0, undefined), flex));
  });

  test('a level that may be dearer and has no price is told', () => {
    assert.equal(isPartlyPriced(used(1, { tier: 'ultrafast' }), priced), true);
    const asked = [
      { aspect: 'tier', level: 'flex', param: 'service_tier' },
      { aspect: 'latency', level: 'optimized', param: 'performanceConfig.latency' },
    ] as const;
    assert.equal(unknownLevel(asked, priced)?.param, 'performanceConfig.latency');
    assert.equal(unknownLevel(asked.slice(0, 1), price(undefined)), undefined);
  });
});

test('levels are read in small letters, without what they are of', () => {
  assert.deepEqual(['SERVICE_TIER_PRIORITY', 'Flex', '', 7, null].map(levelOf), [
    'priority',
    'flex',
    undefined,
    undefined,
    undefined,
  ]);
});

test('what is held for a request is enough, however much of what it asks for the provider serves', () => {
  const rates = ratesOf(fc.nat(100_000_000));
  const sizes = fc
    .uniqueArray(fc.tuple(fc.nat(3000), rates), { maxLength: 2, selector: ([above]) => above })
    .map(all => all.sort(([a], [b]) => a - b).map(([above, of]) => ({ above: tokens(above), rates: of })));
  const names = ['priority', 'flex', 'fast', 'us', 'auto'] as const;
  const service = fc.oneof(
    fc.record({ name: fc.constantFrom(...names), multiplier: fc.nat(10_000_000) }),
    fc.record({ name: fc.constantFrom(...names), rates, tiers: sizes }),
  );
  const services = fc.uniqueArray(service, { maxLength: 4, selector: ({ name }) => name });
  const asking = fc.record(
    { tier: fc.constantFrom('priority', 'flex', 'auto'), speed: fc.constant('fast'), region: fc.constant('us') },
    { requiredKeys: [] },
  );
  const counts = fc.record({
    inputUncached: fc.nat(2000),
    cacheRead: fc.nat(2000),
    cacheWrite1h: fc.nat(2000),
    output: fc.nat(2000),
  });
  fc.assert(
    fc.property(rates, sizes, services, asking, counts, fc.func(fc.boolean()), (of, tiers, own, asked, counted, isGranted) => {
      const held: Price = { source: 'provider', version: '1', rates: of, tiers, services: own };
      const levels = Object.entries(asked).map(([aspect, level]) => ({ aspect: aspect as ServiceAspect, level, param: aspect }));
      const told = Object.fromEntries(levels.filter(({ aspect }) => isGranted(aspect)).map(({ aspect }) => [aspect, 'standard']));
      const usage = { ...noUsage, ...counted, service: servedAs(levels, told) } as Usage;
      const facts = { audio: true, duration: millis(1000), service: levels };
      assert.ok(costOf(usage, held) <= costBound(promptTokens(usage), usage.output, held, facts));
    }),
    { numRuns: 500 },
  );
});
