// What is kept in memory of objects that the cluster has thousands of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trimmedOurs, trimmedSecret } from './resources.ts';

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

test('of a Secret all is kept that can be a credential, and of what is longer enough to tell that it is', () => {
  const metadata = { name: 's', namespace: 'team', uid: 'u', resourceVersion: '7' };
  const annotations = { 'tollgate.dev/made-for': 'k', 'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(1_000) };
  const data = { key: btoa('sk-1'), certificate: btoa('x'.repeat(700_000)) };
  const kept = trimmedSecret({ metadata: { ...metadata, annotations }, type: 'Opaque', data });
  assert.deepEqual(kept.metadata, { ...metadata, annotations: { 'tollgate.dev/made-for': 'k' } });
  assert.equal(kept.data?.key, data.key);
  assert.match(atob(kept.data?.certificate ?? ''), /^x{24576}$/);
  assert.deepEqual(trimmedSecret({ metadata }), { metadata, data: {} });
});
