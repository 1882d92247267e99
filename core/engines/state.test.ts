import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { millis } from '../units.ts';
import { loadOf } from './load.ts';
import { type EngineReading, type Reading, readingOf } from './reading.ts';
import { type EndpointState, type EngineSettings, isLost, marked, newEndpoint, type Probe, probed } from './state.ts';

const settings: EngineSettings = {
  interval: millis(250),
  staleAfter: millis(2_000),
  queueDepth: 5,
  kvCacheUtilization: 0.8,
  wedgedAfter: millis(60_000),
  models: ['llama'],
};

const idle: EngineReading = { engine: '0', running: 0, waiting: 0, kv: 0, progress: 100, awake: true };
const read = (...engines: Partial<EngineReading>[]): Probe => ({ kind: 'read', reading: reading(...engines) });
const reading = (...engines: Partial<EngineReading>[]): Reading =>
  readingOf(
    engines.map((engine, i) => ({ ...idle, engine: String(i), ...engine })),
    { startedAt: 1, adapters: undefined },
  );
const missed: Probe = { kind: 'missed' };
const refused: Probe = { kind: 'refused' };
const health = (isWell: boolean): Probe => ({ kind: 'health', isWell });
const models = (...names: string[]): Probe => ({ kind: 'models', models: names.map(name => ({ name, isAdapter: false })) });

/** Every probe `everyMs` after the one before. */
function after(probes: readonly Probe[], { everyMs = 250, from = newEndpoint(0), at = 0 } = {}): EndpointState {
  let state = from;
  let now = at;
  for (const probe of probes) {
    now += everyMs;
    state = probed(state, probe, now, settings);
  }
  return state;
}
const nameAfter = (...probes: Probe[]) => after(probes).name;
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

describe('an endpoint', () => {
  test('may get requests before it was looked at, and is ready once it has told its load', () => {
    assert.equal(newEndpoint(0).name, 'Unknown');
    assert.equal(nameAfter(read({})), 'Ready');
  });

  test('is loading while nobody listens, its health is bad or it has none of the models', () => {
    assert.equal(nameAfter(refused), 'Loading');
    assert.equal(nameAfter(read({}), refused, missed), 'Loading', 'a time-out is no sign of life');
    assert.equal(nameAfter(refused, read({})), 'Ready');
    assert.equal(nameAfter(read({}), health(false)), 'Loading');
    assert.equal(nameAfter(read({}), health(false), health(true)), 'Ready');
    assert.equal(nameAfter(read({}), models('other')), 'Loading');
    assert.equal(nameAfter(read({}), models('other'), models('other', 'llama')), 'Ready');
    assert.equal(nameAfter(read({}), { kind: 'models', models: undefined }), 'Ready');
  });

  test('is saturated from a threshold on, and until it is a fifth below', () => {
    assert.equal(nameAfter(read({ waiting: 4 })), 'Ready');
    assert.equal(nameAfter(read({ waiting: 5 })), 'Saturated');
    assert.equal(nameAfter(read({ waiting: 5 }), read({ waiting: 5, kv: 0.1 }), read({ waiting: 4.1 })), 'Saturated');
    assert.equal(nameAfter(read({ waiting: 5 }), read({ waiting: 4 })), 'Ready');
    assert.equal(nameAfter(read({ kv: 0.8 })), 'Saturated');
    assert.equal(nameAfter(read({ kv: 0.8 }), read({ kv: 0.65 })), 'Saturated');
    assert.equal(nameAfter(read({ kv: 0.8 }), read({ kv: 0.63 })), 'Ready');
  });

  test('with several engines waits as all of them and is as full as the fullest', () => {
    assert.equal(nameAfter(read({ waiting: 3 }, { waiting: 2 })), 'Saturated');
    assert.equal(nameAfter(read({ kv: 0.1 }, { kv: 0.85 })), 'Saturated');
  });

  test('sleeps when all its engines do', () => {
    assert.equal(nameAfter(read({ awake: false }, { awake: false })), 'Sleeping');
    assert.equal(nameAfter(read({ awake: false }, { awake: true })), 'Ready');
    assert.equal(nameAfter(read({ awake: false }), read({ awake: true })), 'Ready');
  });

  test('is stale after three misses and `staleAfter`, not for one slow answer', () => {
    const busy = [read({}), ...times(12, () => missed)];
    assert.equal(after(busy.slice(0, 8)).name, 'Ready', '1.75 s');
    assert.equal(after(busy.slice(0, 9)).name, 'Stale', '2 s');
    assert.equal(after([read({}), missed, missed], { everyMs: 5_000 }).name, 'Ready', 'two misses');
    assert.equal(after([read({}), missed, missed, missed], { everyMs: 5_000 }).name, 'Stale');
    assert.equal(after([...busy, read({})]).name, 'Ready');
  });

  test('stays asleep or wedged when nothing more is heard of it', () => {
    assert.equal(nameAfter(read({ awake: false }), ...times(12, () => missed)), 'Sleeping');
  });

  test('is restarted for one reading', () => {
    assert.equal(nameAfter(read({ progress: 100 }), read({ progress: 3 })), 'Restarted');
    assert.equal(nameAfter(read({ progress: 100 }), read({ progress: 3 }), read({ progress: 3 })), 'Ready');
    const later = { kind: 'read', reading: { ...reading({}), startedAt: 2 } } as const;
    assert.equal(nameAfter(read({}), later), 'Restarted');
    assert.equal(
      nameAfter(read({ waiting: 9 }), read({ progress: 3, waiting: 4.5 }), read({ progress: 3, waiting: 4.5 })),
      'Ready',
    );
  });

  test('that is draining is nothing else', () => {
    const draining = marked(after([read({ waiting: 9 })]), true, 300, settings);
    assert.equal(draining.name, 'Draining');
    assert.equal(marked(draining, false, 400, settings).name, 'Saturated');
  });

  test('is unknown while its metrics are', () => {
    assert.equal(nameAfter(read({}), { kind: 'unreadable' }), 'Unknown');
    assert.equal(nameAfter(read({ waiting: undefined, kv: undefined })), 'Unknown');
    assert.equal(nameAfter(read({ waiting: undefined, kv: undefined, awake: false })), 'Sleeping');
  });

  test('keeps the time since when it is as it is', () => {
    assert.equal(after([read({}), read({ progress: 101 }), read({ progress: 102 })]).since, 250);
    assert.equal(after([read({}), read({ waiting: 5 }), read({ waiting: 5 })]).since, 500);
  });
});

describe('a wedged engine', () => {
  const work = { running: 4, waiting: 2, kv: 0.5 };
  const SCRAPES = settings.wedgedAfter / settings.interval;

  test('is found after `wedgedAfter`, at the next scrape at the latest', () => {
    const still = after(times(SCRAPES, () => read(work)));
    assert.equal(still.name, 'Ready');
    const found = after([read(work)], { from: still, at: settings.wedgedAfter });
    assert.equal(found.name, 'Wedged');
    assert.ok(isLost(found));
  });

  test('is not one without work, nor one whose work has just begun', () => {
    assert.equal(nameAfter(...times(2 * SCRAPES, () => read({}))), 'Ready');
    assert.equal(nameAfter(...times(2 * SCRAPES, () => read({})), read(work)), 'Ready');
    assert.equal(after([read({}), read(work)], { everyMs: 120_000 }).name, 'Ready', 'what was between is not known');
  });

  test('is not one that fills its cache with a prompt of 128k tokens, in chunks that move no counter', () => {
    const chunks = times(10 * SCRAPES, i => read({ running: 1, kv: Math.floor(i / 20) / 1_000, progress: 100 }));
    const names = new Set<string>();
    let state = newEndpoint(0);
    chunks.forEach((chunk, i) => {
      state = probed(state, chunk, i * 250, settings);
      names.add(state.name);
    });
    assert.deepEqual([...names], ['Ready']);
  });

  test('is not one that is full and works', () => {
    const full = times(2 * SCRAPES, i => read({ running: 256, waiting: 500, kv: 1, progress: 100 + Math.floor(i / 40) }));
    assert.equal(nameAfter(...full), 'Saturated');
  });

  test('is one that has requests waiting and nothing at work, also where no counter is known', () => {
    const dead = { running: 0, waiting: 3, kv: 0, progress: undefined };
    assert.equal(nameAfter(...times(SCRAPES + 1, () => read(dead))), 'Wedged');
    assert.equal(nameAfter(...times(SCRAPES + 1, () => read({ ...dead, running: 1 }))), 'Ready', 'nobody can tell');
  });

  test('among others makes its endpoint a last choice', () => {
    const half = times(SCRAPES + 1, i => read({ ...work, progress: 100 + i }, { ...work, waiting: 0, progress: 7 }));
    const state = after(half);
    assert.deepEqual([state.name, state.wedged], ['Ready', ['1']]);
  });

  test('is well again with the first progress', () => {
    const wedged = times(SCRAPES + 1, () => read(work));
    assert.equal(nameAfter(...wedged, read({ ...work, progress: 101 })), 'Ready');
    assert.equal(nameAfter(...wedged, read({})), 'Ready');
  });
});

describe('whatever the probes say', () => {
  const figure = fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined });
  const engine = fc.record({
    running: figure,
    waiting: figure,
    kv: fc.constantFrom(undefined, 0, 0.5, 0.9),
    progress: figure,
    awake: fc.constantFrom(undefined, true, false),
  });
  const probe = fc.oneof(
    fc.array(engine, { maxLength: 2 }).map(engines => read(...engines)),
    fc.constantFrom<Probe>(
      missed,
      refused,
      { kind: 'unreadable' },
      health(true),
      health(false),
      models('llama'),
      models('other'),
    ),
  );

  test('a good reading, health and the models make an endpoint usable again', () => {
    fc.assert(
      fc.property(fc.array(probe, { maxLength: 30 }), probes => {
        const back = after([...probes, read({ progress: 1_000 }), health(true), models('llama'), read({ progress: 1_001 })]);
        assert.equal(back.name, 'Ready');
      }),
    );
  });

  test('wedged is only what has had work for `wedgedAfter` without progress', () => {
    fc.assert(
      fc.property(fc.array(probe, { maxLength: 60 }), fc.integer({ min: 100, max: 20_000 }), (probes, everyMs) => {
        let state = newEndpoint(0);
        probes.forEach((each, i) => {
          state = probed(state, each, i * everyMs, settings);
          if (state.name === 'Wedged') assert.ok(i * everyMs >= settings.wedgedAfter);
        });
      }),
    );
  });
});

describe('the load', () => {
  const loaded = (engine: Partial<EngineReading>, sent = 0, now = 250) => loadOf(after([read(engine)]), sent, now, settings);

  test('is the larger of the queue and the cache, as shares of their thresholds', () => {
    assert.equal(loaded({ waiting: 2, kv: 0.2 }), 0.4);
    assert.equal(loaded({ waiting: 1, kv: 0.4 }), 0.5);
    assert.equal(loaded({ waiting: 10 }), 2);
  });

  test('counts what was sent since', () => {
    assert.equal(loaded({ waiting: 2 }, 3), 1);
  });

  test('goes towards saturation when nothing is heard any more', () => {
    const at = [750, 1_750, 2_750, 60_000].map(now => loaded({ waiting: 1 }, 0, now)!.toFixed(2));
    assert.deepEqual(at, ['0.20', '0.60', '1.00', '1.00']);
  });

  test('is unknown where neither is known', () => {
    assert.equal(loaded({ waiting: undefined, kv: undefined }), undefined);
    assert.equal(loaded({ waiting: undefined, kv: 0.4 }), 0.5);
  });
});
