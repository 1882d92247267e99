// A controller over made-up sources: what its reconciler is asked, when, and what becomes of what it answers or throws.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { Registry } from 'prom-client';
import { systemClock } from '#platform/clock.ts';
import { KubeError } from '#platform/kube/errors.ts';
import type { KubeObject } from '#platform/kube/resource.ts';
import { until } from '#test/support/until.ts';
import { type ControllerOptions, keysFrom, type Outcome, type Reconcile, runController } from './controller.ts';
import { runtimeMetrics } from './metrics.ts';
import type { Listener, Source } from './source.ts';

class FakeSource implements Source<KubeObject> {
  readonly objects: Map<string, KubeObject> = new Map();
  readonly #listeners = new Set<Listener<KubeObject>>();
  hasSynced = true;
  synced = (): Promise<void> => Promise.resolve();

  get = (key: string): KubeObject | undefined => this.objects.get(key);

  onChange(listener: Listener<KubeObject>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  put(key: string): void {
    const object = { metadata: { name: key } };
    this.objects.set(key, object);
    for (const listener of this.#listeners) listener({ kind: 'added', key, object, isInitial: false });
  }
}

const done: Outcome = { kind: 'done' };

function controlled(reconcile: Reconcile, options: Partial<ControllerOptions> = {}, afterMs = 0) {
  const source = new FakeSource();
  const registry = new Registry();
  const end = new AbortController();
  const asked: string[] = [];
  const ended = runController(
    {
      name: 'test',
      sources: [keysFrom(source, undefined, afterMs)],
      reconcile: (key, signal) => {
        asked.push(key);
        return reconcile(key, signal);
      },
      workers: 2,
      clock: systemClock,
      random: () => 0,
      log: pino({ level: 'silent' }),
      metrics: runtimeMetrics(registry),
      ...options,
    },
    end.signal,
  );
  const metric = async (line: string): Promise<boolean> => (await registry.metrics()).includes(line);
  const stop = (): Promise<void> => {
    end.abort();
    return ended;
  };
  return { source, asked, metric, stop };
}

describe('a controller', () => {
  test('begins with all there is, goes on with what changes, and hears no more once it has ended', async () => {
    const { source, asked, stop } = controlled(async () => done);
    source.objects.set('old', { metadata: { name: 'old' } });
    await until('it has begun', () => asked.length === 1);
    source.put('new');
    await until('it has heard', () => asked.length === 2);
    await stop();
    assert.deepEqual(asked, ['old', 'new']);
    assert.equal(source.listeners, 0);
  });

  test('survives what its reconciler throws, counts it, and tries again', async () => {
    let calls = 0;
    const { source, metric, stop } = controlled(() => {
      calls += 1;
      if (calls === 1) throw new TypeError('a bug, thrown at once');
      return calls === 2 ? Promise.reject(new Error('a bug, thrown later')) : Promise.resolve(done);
    });
    source.objects.set('a', { metadata: { name: 'a' } });
    await until('it succeeded', () => metric('controller_runtime_reconcile_total{controller="test",result="success"} 1'));
    assert.ok(await metric('controller_runtime_reconcile_panics_total{controller="test"} 2'));
    assert.ok(await metric('controller_runtime_reconcile_errors_total{controller="test"} 2'));
    assert.ok(await metric('workqueue_retries_total{name="test",controller="test"} 2'));
    await stop();
  });

  test('takes what the API server refuses for an error and no bug, and waits as long as it asks', async () => {
    const times: number[] = [];
    const { source, metric, stop } = controlled(async () => {
      times.push(performance.now());
      if (times.length === 1) throw new KubeError('throttled', 'busy', { status: 429, retryAfterMs: 300 });
      return done;
    });
    source.objects.set('a', { metadata: { name: 'a' } });
    await until('it tried again', () => times.length === 2);
    assert.ok(times[1]! - times[0]! >= 299);
    assert.ok(await metric('controller_runtime_reconcile_panics_total{controller="test"} 0'));
    await stop();
  });

  test('leaves alone what is stuck, until it changes, and comes back to what is due', async () => {
    const { source, asked, metric, stop } = controlled(async key =>
      key === 'stuck' ? { kind: 'stuck', reason: 'broken' } : { kind: 'again', afterMs: 20 },
    );
    for (const key of ['stuck', 'due']) source.objects.set(key, { metadata: { name: key } });
    await until('it came back', () => asked.filter(key => key === 'due').length >= 3);
    assert.equal(asked.filter(key => key === 'stuck').length, 1);
    assert.ok(await metric('controller_runtime_terminal_reconcile_errors_total{controller="test"} 1'));
    source.put('stuck');
    await until('it looked again', () => asked.filter(key => key === 'stuck').length === 2);
    await stop();
  });

  test('works on as many keys at a time as it has workers, and on one key once at a time', async () => {
    let most = 0;
    const running = new Set<string>();
    const { source, asked, stop } = controlled(async key => {
      assert.ok(!running.has(key));
      running.add(key);
      most = Math.max(most, running.size);
      await pause(5);
      running.delete(key);
      return done;
    });
    for (let round = 0; round < 20; round++) {
      for (const key of ['a', 'b', 'c']) source.put(key);
      await pause(2);
    }
    await stop();
    assert.equal(most, 2);
    assert.ok(asked.length < 60, 'what was added while it was worked on was done once more, not once each');
  });

  test('lets changes gather', async () => {
    const { source, asked, stop } = controlled(async () => done, {}, 50);
    await until('it listens', () => source.listeners === 1);
    for (let change = 0; change < 100; change++) source.put('a');
    assert.equal(asked.length, 0);
    await until('it was asked', () => asked.length === 1);
    await pause(100);
    assert.equal(asked.length, 1);
    await stop();
  });

  test('ends only when what is under way has ended, and begins nothing new', async () => {
    let isRunning = false;
    const { source, asked, stop } = controlled(
      async () => {
        isRunning = true;
        await pause(50);
        isRunning = false;
        return done;
      },
      { workers: 1 },
    );
    for (const key of ['a', 'b']) source.objects.set(key, { metadata: { name: key } });
    await until('one is under way', () => isRunning);
    await stop();
    assert.equal(isRunning, false);
    assert.deepEqual(asked, ['a']);
  });

  test('tells a reconciliation when its time is over', async () => {
    const { source, metric, stop } = controlled(
      (_, signal) => new Promise(resolve => signal.addEventListener('abort', () => resolve(done))),
      { timeoutMs: 30 },
    );
    source.objects.set('a', { metadata: { name: 'a' } });
    await until('it was counted', () => metric('controller_runtime_reconcile_timeouts_total{controller="test"} 1'));
    await stop();
  });
});
