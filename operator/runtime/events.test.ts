// What the recorder of events writes, and what it leaves out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import pino from 'pino';
import type { KubeClient } from '#platform/kube/client.ts';
import { KubeError } from '#platform/kube/errors.ts';
import { type EventOutcome, EventRecorder, type Happening } from './events.ts';

type Written = { readonly verb: 'create' | 'patch'; readonly name: string; readonly body: Record<string, unknown> };

const START = Date.parse('2026-11-21T12:00:00Z');

function recorder({ failing = false } = {}) {
  const written: Written[] = [];
  const outcomes: EventOutcome[] = [];
  let ms = 0;
  let chance = 0;
  const done = async (entry: Written) => {
    written.push(entry);
    if (failing) throw new KubeError('forbidden', 'not here');
  };
  const client = {
    create: (_: unknown, { metadata, ...body }: { metadata: { name: string } }) =>
      done({ verb: 'create', name: metadata.name, body }),
    patch: (_: unknown, { name }: { name: string }, body: Record<string, unknown>) => done({ verb: 'patch', name, body }),
  } as unknown as KubeClient;
  const events = new EventRecorder({
    client,
    controller: 'example.org/controller',
    instance: 'one',
    clock: { now: () => START + ms, monotonic: () => ms } as never,
    random: () => {
      chance = (chance + 0.001) % 1;
      return chance;
    },
    log: pino({ level: 'silent' }),
    onOutcome: outcome => outcomes.push(outcome),
  });
  const pass = async (time: number) => {
    ms += time;
    await new Promise(resolve => setImmediate(resolve));
  };
  return { events, written, outcomes, pass };
}

const happening = (name: string, of: Partial<Happening> = {}): Happening => ({
  resource: { group: 'example.org', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true },
  object: { metadata: { name, namespace: 'ns', uid: `uid-${name}` } },
  isWarning: true,
  reason: 'Broken',
  action: 'Mend',
  note: 'it is broken',
  ...of,
});

describe('events', () => {
  test('have what the API asks for', async () => {
    const { events, written, outcomes, pass } = recorder();
    events.record(happening('a', { note: 'ü'.repeat(2_000) }));
    await pass(0);
    const [{ name, body }] = written as [Written];
    assert.match(name, /^a\.[0-9a-f]+$/);
    assert.equal(body.eventTime, '2026-11-21T12:00:00.000000Z');
    assert.deepEqual([body.type, body.reason, body.action], ['Warning', 'Broken', 'Mend']);
    assert.equal(body.note, 'ü'.repeat(512));
    assert.deepEqual(body.regarding, {
      apiVersion: 'example.org/v1',
      kind: 'Thing',
      namespace: 'ns',
      name: 'a',
      uid: 'uid-a',
      resourceVersion: undefined,
    });
    assert.deepEqual(outcomes, ['written']);
  });

  test('that happen again are counted into the one that is there, now and then', async () => {
    const { events, written, pass } = recorder();
    for (let i = 0; i < 10; i++) {
      events.record(happening('a'));
      await pass(10_000);
    }
    assert.deepEqual(
      written.map(({ verb, body }) => [verb, (body.series as { count: number } | undefined)?.count]),
      [
        ['create', undefined],
        ['patch', 7],
      ],
    );
    assert.equal(written[0]!.name, written[1]!.name);
    await pass(7 * 60_000);
    events.record(happening('a'));
    events.record(happening('a', { note: 'something else' }));
    assert.deepEqual(
      written.slice(2).map(({ verb }) => verb),
      ['create', 'create'],
    );
    assert.equal(new Set(written.map(({ name }) => name)).size, 3);
  });

  test('that come in a flood are left out, and told again later', async () => {
    const { events, written, outcomes, pass } = recorder();
    for (let i = 0; i < 1_000; i++) events.record(happening(`a-${i}`));
    await pass(0);
    assert.equal(written.length, 100);
    assert.equal(outcomes.filter(outcome => outcome === 'left_out').length, 900);
    await pass(10_000);
    for (let i = 0; i < 1_000; i++) events.record(happening(`a-${i}`, { reason: 'Mended' }));
    assert.equal(written.length, 120);
  });

  test('that cannot be written trouble nobody, and are written anew the next time', async () => {
    const { events, written, outcomes, pass } = recorder({ failing: true });
    events.record(happening('a'));
    await pass(1);
    events.record(happening('a'));
    await pass(1);
    assert.deepEqual(
      written.map(({ verb }) => verb),
      ['create', 'create'],
    );
    assert.deepEqual(outcomes, ['failed', 'failed']);
  });
});
