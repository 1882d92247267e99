// What is kept in memory of objects that the cluster has thousands of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trimmedOurs } from './resources.ts';

test('of our objects all is kept but what others keep in annotations, and who wrote what', () => {
  const spec = { tenant: 'acme' };
  const metadata = { name: 'k', namespace: 'team', labels: { team: 'search' }, generation: 3 };
  const stuffing = { 'example.org/stuffing': 'x'.repeat(1_000), 'nottollgate.dev/a': 'x' };
  const own = { 'tollgate.dev/rotate-at': '2026-11-21T00:00:00Z' };
  const managedFields = [{ manager: 'kubectl' }];
  const stuffed = { metadata: { ...metadata, managedFields, annotations: { ...stuffing, ...own } }, spec };
  assert.deepEqual(trimmedOurs(stuffed), { metadata: { ...metadata, annotations: own }, spec });
  assert.deepEqual(trimmedOurs({ metadata: { ...metadata, annotations: stuffing }, spec }), { metadata, spec });
});
