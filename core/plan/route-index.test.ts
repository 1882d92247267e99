import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouteEntry } from '../snapshot/snapshot.ts';
import { aKey, aMatch, aRoute } from '../snapshot/testing.ts';
import { epochMillis, tokens } from '../units.ts';
import { matchRoute, type RequestFacts, routeIndex } from './route-index.ts';

const facts = (more: Partial<RequestFacts> = {}): RequestFacts => ({
  model: 'gpt-4o',
  operation: 'Chat',
  headers: { 'x-region': 'eu' },
  tags: { task: 'classify' },
  inputTokens: () => 500,
  ...more,
});
const exact = { type: 'Exact', value: 'gpt-4o' } as const;
const winner = (routes: RouteEntry[], more: Partial<RequestFacts> = {}, key = aKey()) =>
  matchRoute(routeIndex(routes), key, facts(more))?.name;

const better: [sentence: string, better: Partial<RouteEntry>, worse: Partial<RouteEntry>][] = [
  [
    'an exact name beats a prefix',
    { match: [aMatch({ model: exact })] },
    { match: [aMatch({ model: { type: 'Prefix', value: 'gpt-4' } })] },
  ],
  [
    'an exact name beats a prefix as long as itself',
    { match: [aMatch({ model: exact })] },
    {
      match: [
        aMatch({ model: { type: 'Prefix', value: 'gpt-4o' }, headers: [{ name: 'x-region', type: 'Exact', value: 'eu' }] }),
      ],
    },
  ],
  [
    'a longer prefix beats a shorter suffix',
    { match: [aMatch({ model: { type: 'Prefix', value: 'gpt-' } })] },
    { match: [aMatch({ model: { type: 'Suffix', value: '4o' } })] },
  ],
  [
    'any prefix beats a match without a model',
    { match: [aMatch({ model: { type: 'Prefix', value: 'g' } })] },
    { match: [aMatch({ operations: ['Chat'] })] },
  ],
  [
    'more headers beat fewer',
    { match: [aMatch({ model: exact, headers: [{ name: 'x-region', type: 'Exact', value: 'eu' }] })] },
    { match: [aMatch({ model: exact, tags: { task: 'classify' } })] },
  ],
  [
    'more tags beat operations',
    { match: [aMatch({ model: exact, tags: { task: 'classify' } })] },
    { match: [aMatch({ model: exact, operations: ['Chat'] })] },
  ],
  [
    'operations beat minInputTokens',
    { match: [aMatch({ model: exact, operations: ['Chat'] })] },
    { match: [aMatch({ model: exact, minInputTokens: tokens(10) })] },
  ],
  [
    'a higher minInputTokens beats a lower one',
    { match: [aMatch({ model: exact, minInputTokens: tokens(400) })] },
    { match: [aMatch({ model: exact, minInputTokens: tokens(10) })] },
  ],
  ['tenants beat none', { match: [aMatch({ model: exact })], tenants: {} }, { match: [aMatch({ model: exact })] }],
  [
    'the older object beats the younger',
    { match: [aMatch({ model: exact })], createdAt: epochMillis(1) },
    { match: [aMatch({ model: exact })], createdAt: epochMillis(2) },
  ],
  ['a match beats a catch-all', { match: [aMatch({ operations: ['Chat'] })] }, { catchAll: true }],
];

for (const [sentence, good, bad] of better)
  test(sentence, () => {
    // The name would decide the other way.
    assert.equal(winner([aRoute('z-good', good), aRoute('a-bad', bad)]), 'z-good');
    assert.equal(winner([aRoute('a-bad', bad), aRoute('z-good', good)]), 'z-good');
  });

test('between equals the name decides', () => {
  const match = [aMatch({ model: exact })];
  assert.equal(winner([aRoute('b', { match }), aRoute('a', { match })]), 'a');
});

test('the items of match are alternatives, and what one asks for must all hold', () => {
  const route = aRoute('r', {
    match: [
      aMatch({ model: exact, tags: { task: 'other' } }),
      aMatch({ model: exact, headers: [{ name: 'x-region', type: 'Prefix', value: 'e' }] }),
    ],
  });
  assert.equal(winner([route]), 'r');
  assert.equal(winner([route], { headers: {} }), undefined);
});

test('a route of another namespace is seen only where allowedKeys admits the key', () => {
  const match = [aMatch({ model: exact })];
  const key = aKey({ namespace: 'team' });
  assert.equal(winner([aRoute('r', { match })], {}, key), undefined);
  assert.equal(winner([aRoute('r', { match, allowedKeyNamespaces: ['team'] })], {}, key), 'r');
  assert.equal(winner([aRoute('r', { match, allowedKeyNamespaces: '*' })], {}, key), 'r');
});

test('tenants and the routes of a key narrow by labels, and the next route takes over', () => {
  const match = [aMatch({ model: exact })];
  const gold = aRoute('gold', { match, tenants: { plan: 'gold' } });
  const rest = aRoute('rest', { match, labels: { tier: 'basic' } });
  assert.equal(winner([gold, rest], {}, aKey({ labels: { plan: 'gold' } })), 'gold');
  assert.equal(winner([gold, rest]), 'rest');
  assert.equal(winner([gold, rest], {}, aKey({ routes: { tier: 'premium' } })), undefined);
});
