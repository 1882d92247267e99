import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ToolAsked } from '../chat/tools-asked.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';
import { toolBound, unknownTool, untoldCalls } from './tool-bound.ts';

const price = (perToolCall: Record<string, number>, maxToolCalls?: number): Price => ({
  source: 'provider',
  version: '1',
  rates: { perToolCall } as unknown as Rates,
  tiers: [],
  ...(maxToolCalls !== undefined && { maxToolCalls }),
});
const search: ToolAsked = { tool: 'webSearch', param: 'tools[0]' };
const code: ToolAsked = { tool: 'codeExecution', param: 'tools[1]', most: 1 };
const bound = (asked: Parameters<typeof toolBound>[0], of: Price) => toolBound(asked, of.rates, of);

describe('the bound of what tools cost', () => {
  test('is what each may be called, by the request or else by the operator', () => {
    const both = price({ webSearch: 10, codeExecution: 30 }, 5);
    assert.equal(bound({ tools: [search, code] }, both), 80);
    assert.equal(bound({ tools: [{ ...search, most: 2 }, code] }, both), 50);
  });
  test('of calls together is that many of the dearest, where that is less', () => {
    const both = price({ webSearch: 10, codeExecution: 30 }, 5);
    assert.equal(bound({ tools: [search, code], mostTogether: 3 }, both), 60);
    assert.equal(bound({ tools: [search, code], mostTogether: 1 }, both), 30);
  });
  test('counts nothing for what is not known', () => {
    assert.equal(bound({ tools: [search] }, price({ webSearch: 10 })), 0);
    assert.equal(bound({ tools: [search] }, price({}, 5)), 0);
  });
});

test('a tool without a price, or without a bound of calls that cost something, is not known', () => {
  assert.deepEqual(unknownTool({ tools: [search] }, price({})), { tool: 'webSearch', param: 'tools[0]', unknown: 'price' });
  assert.deepEqual(unknownTool({ tools: [code, search] }, price({ webSearch: 10, codeExecution: 1 })), {
    tool: 'webSearch',
    param: 'tools[0]',
    unknown: 'number',
  });
  for (const known of [price({ webSearch: 0 }), price({ webSearch: 10 }, 3)])
    assert.equal(unknownTool({ tools: [search] }, known), undefined);
  assert.equal(unknownTool({ tools: [search], mostTogether: 4 }, price({ webSearch: 10 })), undefined);
});

test('calls that no answer tells of count as many as there may have been', () => {
  const untold = { ...search, isUntold: true as const };
  assert.deepEqual(untoldCalls({ tools: [untold, code] }, price({}, 4)), { webSearch: 4 });
  assert.deepEqual(untoldCalls({ tools: [{ ...untold, most: 2 }] }, undefined), { webSearch: 2 });
  assert.deepEqual(untoldCalls({ tools: [untold] }, price({})), { webSearch: 1 });
  assert.deepEqual(untoldCalls({ tools: [search] }, price({}, 4)), {});
});
