import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routeIndex } from '#core/plan/route-index.ts';
import type { RouteEntry } from '#core/snapshot/snapshot.ts';
import type { Call } from '../call.ts';
import { verdictIn } from './ask.ts';
import { uncheckedBatch } from './unseen.ts';

test('what is no verdict is none, whatever it is', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        { verdict: fc.constantFrom('allow', 'deny', 'replace', 'Allow'), reason: fc.jsonValue(), texts: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map(value => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(anything, text => {
      const verdict = verdictIn(text);
      if (verdict) assert.equal(JSON.parse(text).verdict, verdict.kind);
      if (verdict?.kind === 'replace') assert.ok('body' in verdict || verdict.texts.every(one => typeof one === 'string'));
    }),
  );
});

test('a reason is one line of bounded length', () => {
  const reason = `two\nlines\u0000 and\u2028more ${'x'.repeat(1000)}`;
  const verdict = verdictIn(JSON.stringify({ verdict: 'deny', reason }));
  assert.ok(verdict?.kind === 'deny');
  assert.match(verdict.reason!, /^two lines and more x+$/);
  assert.equal(verdict.reason!.length, 512);
  assert.deepEqual(verdictIn('{"verdict":"deny","reason":" \\n "}'), { kind: 'deny', reason: undefined });
});

test('a batch is for no model whose route has checks, by whatever name', () => {
  const route = (model: string, hooks?: RouteEntry['hooks']) =>
    ({
      id: `d/${model}`,
      namespace: 'd',
      match: [{ model: { type: 'Exact', value: model }, headers: [], operations: [], tags: {} }],
      allowedKeyNamespaces: '*',
      labels: {},
      ...(hooks && { hooks }),
    }) as unknown as RouteEntry;
  const hook = { name: 'h', when: 'Before', mode: 'Decide', holdStream: false, onFailure: 'Deny' } as const;
  const call = {
    config: { routes: routeIndex([route('checked', [hook]), route('observed', [{ ...hook, mode: 'Observe' }]), route('free')]) },
    key: { entry: { namespace: 'd', labels: {} } },
    facts: { headers: {}, tags: {}, inputTokens: () => 0 },
  } as unknown as Call;
  assert.equal(uncheckedBatch(call, ['free', 'observed', 'other']), undefined);
  assert.equal(uncheckedBatch(call, ['upstream-name', 'checked'])?.class, 'unsupported_parameter');
});
