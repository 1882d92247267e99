import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { millis, nanoUsd } from '../units.ts';
import { gpuCost } from './cost.ts';
import { ReplicaClock, type Share } from './gpu-share.ts';

describe("a request's share of a replica", () => {
  test('is all of its time while it is alone, and half of it beside another', () => {
    const clock = new ReplicaClock();
    const first = clock.enter(millis(1_000));
    const second = clock.enter(millis(3_000));
    assert.equal(clock.leave(first, millis(5_000)), 3);
    assert.equal(clock.leave(second, millis(6_000)), 2);
    assert.equal(clock.leave(clock.enter(millis(60_000)), millis(60_500)), 0.5);
  });

  test('adds up over the requests to the time the replica was busy, to the microsecond, and is the integral of 1/n', () => {
    const requests = fc.array(fc.record({ at: fc.nat(50_000), lasts: fc.nat(20_000) }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(requests, given => {
        const spans = given.map(({ at, lasts }) => ({ from: at / 7, to: (at + lasts) / 7 }));
        const shares = sharesOf(spans);
        const total = shares.reduce((sum, seconds) => sum + Math.round(seconds * 1e6), 0);
        assert.ok(Math.abs(total - busyMillis(spans) * 1000) <= 1, `${total} of ${busyMillis(spans) * 1000} µs`);
        for (const [i, span] of spans.entries()) assert.ok(Math.abs(shares[i]! * 1000 - integral(span, spans)) < 0.002);
      }),
    );
  });

  test('is smaller where other processes use the replica too', () => {
    let others = 1;
    const clock = new ReplicaClock(() => others);
    const request = clock.enter(millis(0));
    others = 3;
    const second = clock.enter(millis(1_000));
    // 1 s with one other, then 1 s among five.
    assert.equal(clock.leave(request, millis(2_000)), 0.7);
    assert.equal(clock.leave(second, millis(3_000)), 0.45);
    assert.equal(clock.inFlight, 0);
  });

  test('makes the costs of a busy hour add up to what the replica costs for an hour, but for half a nano-dollar a request', () => {
    const gpu = { hour: nanoUsd(1_500_000_000), gpus: 4 };
    const spans = Array.from({ length: 999 }, (_, i) => ({ from: i * 3_600, to: Math.min(3_600_000, i * 3_600 + 9_000) }));
    const cost = sharesOf([...spans, { from: 0, to: 3_600_000 }]).reduce((sum, seconds) => sum + gpuCost(gpu, seconds), 0);
    assert.ok(Math.abs(cost - 6_000_000_000) <= 500, `${cost}`);
  });
});

type Span = { readonly from: number; readonly to: number };

function sharesOf(spans: readonly Span[]): number[] {
  const clock = new ReplicaClock();
  const shares: number[] = [];
  const entered: Share[] = [];
  const events = spans.flatMap(({ from, to }, i) => [
    { at: from, i, comes: true },
    { at: to, i, comes: false },
  ]);
  for (const { at, i, comes } of events.sort((a, b) => a.at - b.at || Number(b.comes) - Number(a.comes))) {
    if (comes) entered[i] = clock.enter(millis(at));
    else shares[i] = clock.leave(entered[i]!, millis(at));
  }
  return shares;
}

const edgesOf = (spans: readonly Span[]) => [...new Set(spans.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
const inFlight = (spans: readonly Span[], at: number) => spans.filter(({ from, to }) => from <= at && at < to).length;

/** Sums over the pieces between two events. */
function pieces(spans: readonly Span[], worth: (at: number) => number): number {
  const edges = edgesOf(spans);
  return edges.slice(1).reduce((sum, to, i) => sum + (to - edges[i]!) * worth(edges[i]!), 0);
}
const busyMillis = (spans: readonly Span[]) => pieces(spans, at => (inFlight(spans, at) > 0 ? 1 : 0));
const integral = (span: Span, spans: readonly Span[]) =>
  pieces(spans, at => (span.from <= at && at < span.to ? 1 / inFlight(spans, at) : 0));
