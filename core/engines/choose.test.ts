import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hashText } from '../plan/hash.ts';
import { millis } from '../units.ts';
import { choose, engineLoad, type Replica } from './choose.ts';
import { type EngineReading, type Reading, readingOf } from './reading.ts';
import { type EndpointState, type EngineSettings, engineStates, newEndpoint, probed } from './state.ts';

const settings: EngineSettings = {
  interval: millis(250),
  staleAfter: millis(2_000),
  queueDepth: 5,
  kvCacheUtilization: 0.8,
  wedgedAfter: millis(60_000),
  models: [],
};
const around = { settings, pods: 1, now: 0 };

const reading = (engine: Partial<EngineReading> = {}, adapters?: Reading['adapters']): Reading =>
  readingOf([{ engine: '', running: 0, waiting: 0, kv: 0, progress: 1, awake: true, ...engine }], { startedAt: 1, adapters });

const told = (engine?: Partial<EngineReading>, adapters?: Reading['adapters']): EndpointState =>
  probed(newEndpoint(0), { kind: 'read', reading: reading(engine, adapters) }, 0, settings);

const replica = (number: number, state: Partial<EndpointState> = told(), sent = 0): Replica => {
  const endpoint = `http://10.0.0.${number}:8000`;
  return { endpoint, hash: hashText(endpoint), state: { ...told(), ...state }, sent, inFlight: 0, suspectUntil: 0 };
};
const replicas = (...states: Partial<EndpointState>[]) => states.map((state, i) => replica(i, state));

const ask = { model: 'llama', tried: [], prefix: undefined, random: 0 };
/** How often each replica is taken, over the whole range of chance. */
function shares(among: readonly Replica[], asked: Partial<Parameters<typeof choose>[1]> = {}, draws = 1_000): number[] {
  const counts = among.map(() => 0);
  for (let i = 0; i < draws; i++) {
    const chosen = choose(among, { ...ask, ...asked, random: i / draws }, around);
    if (chosen) counts[among.indexOf(chosen)]!++;
  }
  return counts.map(count => count / draws);
}

describe('an endpoint for an attempt', () => {
  test('is the less loaded of two at random', () => {
    assert.deepEqual(shares(replicas(told({ waiting: 3 }), told({ waiting: 1 }))), [0, 1]);
    const [worst, middle, best] = shares(replicas(told({ waiting: 4 }), told({ waiting: 2 }), told()));
    assert.equal(worst, 0);
    assert.ok(Math.abs(best! - 2 / 3) < 0.01 && Math.abs(middle! - 1 / 3) < 0.01, `${middle} ${best}`);
  });

  test('is any of those that are equal', () => {
    for (const share of shares(replicas(told(), told(), told(), told()))) assert.ok(Math.abs(share - 0.25) < 0.01, `${share}`);
  });

  test('is none that says it is idle while it has our own attempts', () => {
    const still = { ...replica(0), inFlight: 3 };
    assert.deepEqual(shares([still, replica(1, told({ waiting: 2 }))]), [0, 1]);
    assert.deepEqual(
      shares([{ ...still, state: told({ running: 3 }) }, replica(1, told({ waiting: 2 }))]),
      [1, 0],
      'it has them',
    );
    assert.deepEqual(engineLoad([still], 'llama', around), { usable: 1, saturated: false, load: 3 / 5 });
  });

  test('is one that is not saturated, as long as there is one', () => {
    assert.deepEqual(shares(replicas(told({ waiting: 9 }), told({ waiting: 4 }), told({ kv: 0.9 }))), [0, 1, 0]);
    assert.deepEqual(shares(replicas(told({ waiting: 9 }), told({ waiting: 6 }))), [0, 1]);
  });

  test('is one that was not tried yet, before one with more room that was', () => {
    const among = replicas(told(), told({ waiting: 9 }));
    assert.deepEqual(shares(among, { tried: [among[0]!.endpoint] }), [0, 1]);
    assert.deepEqual(shares(among, { tried: among.map(r => r.endpoint) }), [1, 0], 'all were tried');
  });

  test('is one that is not heard of only where nothing else is left', () => {
    assert.deepEqual(shares(replicas({ name: 'Stale' }, told({ waiting: 9 }))), [0, 1]);
    assert.deepEqual(shares(replicas({ name: 'Stale' }, { name: 'Wedged' })), [1, 0]);
  });

  test('has the model', () => {
    const serving = (...names: string[]) => ({ served: new Map(names.map(name => [name, { name, isAdapter: false }])) });
    assert.deepEqual(shares(replicas(serving('other'), serving('llama'), serving())), [0, 1, 0]);
  });

  test('has the adapter at work, room for it, or it waiting, in this order', () => {
    const served = new Map([['poems', { name: 'poems', isAdapter: true }]]);
    const adapters = (running: string[], waiting: string[] = []) => ({ ...told({}, { running, waiting, max: 2 }), served });
    const [full, waits, room, works] = [
      adapters(['a', 'b']),
      adapters(['a', 'b'], ['poems']),
      adapters(['a']),
      adapters(['poems', 'b']),
    ];
    assert.deepEqual(shares(replicas(full, waits, room, works), { model: 'poems' }), [0, 0, 0, 1]);
    assert.deepEqual(shares(replicas(full, waits, room), { model: 'poems' }), [0, 0, 1]);
    assert.deepEqual(shares(replicas(full, waits), { model: 'poems' }), [0, 1]);
    assert.deepEqual(shares(replicas({ ...works, isSaturated: true, name: 'Saturated' }, full), { model: 'poems' }), [0, 1]);
  });

  test('with one engine of several wedged is a last choice', () => {
    assert.deepEqual(shares(replicas({ wedged: ['1'] }, told({ waiting: 3 }))), [0, 1]);
    assert.deepEqual(shares(replicas({ wedged: ['1'] })), [1]);
  });

  test('that has failed lately is a last choice', () => {
    const [bad, busy] = replicas(told(), told({ waiting: 3 }));
    const suspect = { ...bad!, suspectUntil: around.now + 1 };
    assert.deepEqual(shares([suspect, busy!]), [0, 1]);
    assert.deepEqual(shares([suspect]), [1]);
    assert.equal(engineLoad([suspect], 'llama', around).saturated, true);
  });

  const state = fc.constantFrom(...engineStates).map(name => ({ ...told(), name }));
  const anyReplicas = fc.array(state, { maxLength: 8 }).map(states => replicas(...states));
  const prefix = fc.option(fc.nat(), { nil: undefined });

  test('is never one that may not get requests, and there is none only where none may', () => {
    const excluded = ['Loading', 'Sleeping', 'Wedged', 'Draining'];
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(anyReplicas, prefix, random, (among, prefix, random) => {
        const chosen = choose(among, { ...ask, prefix, random }, around);
        if (chosen) assert.ok(!excluded.includes(chosen.state.name));
        else assert.ok(among.every(r => excluded.includes(r.state.name)));
        assert.equal(engineLoad(among, 'llama', around).usable > 0, chosen !== undefined);
      }),
    );
  });
});

describe('requests that begin alike', () => {
  const four = () => replicas(told(), told(), told(), told());

  test('go to the same endpoint, whatever the chance and the order of the endpoints', () => {
    fc.assert(
      fc.property(fc.nat(), prefix => {
        const endpoint = choose(four(), { ...ask, prefix }, around)!.endpoint;
        assert.equal(choose(four().reverse(), { ...ask, prefix, random: 0.9 }, around)!.endpoint, endpoint);
      }),
    );
  });

  test('are spread over all endpoints', () => {
    const counts = Map.groupBy(
      Array.from({ length: 4_000 }, (_, i) => choose(four(), { ...ask, prefix: i }, around)!.endpoint),
      e => e,
    );
    for (const [, all] of counts) assert.ok(all.length > 850 && all.length < 1_150, `${all.length}`);
  });

  test('go elsewhere when theirs goes, and the others stay', () => {
    const all = four();
    const left = all.slice(1);
    for (let prefix = 0; prefix < 500; prefix++) {
      const before = choose(all, { ...ask, prefix }, around)!;
      if (before !== all[0]) assert.equal(choose(left, { ...ask, prefix }, around), before);
    }
  });

  test('pass over one that is saturated or has more than its share', () => {
    const [preferred] = [choose(four(), { ...ask, prefix: 7 }, around)!.endpoint];
    const withOne = (state: EndpointState) => four().map(r => (r.endpoint === preferred ? { ...r, state } : r));
    assert.equal(choose(withOne(told({ running: 5 })), { ...ask, prefix: 7 }, around)!.endpoint, preferred, 'that is no load');
    assert.notEqual(choose(withOne(told({ running: 6 })), { ...ask, prefix: 7 }, around)!.endpoint, preferred);
    assert.notEqual(choose(withOne(told({ waiting: 9 })), { ...ask, prefix: 7 }, around)!.endpoint, preferred);
  });

  test('but for another model go where that one has them', () => {
    const places = (model: string) =>
      Array.from({ length: 64 }, (_, prefix) => choose(four(), { ...ask, model, prefix }, around)!.endpoint);
    assert.notDeepEqual(places('llama'), places('mistral'));
  });
});

describe('the endpoints of a provider together', () => {
  const load = (...states: Partial<EndpointState>[]) => engineLoad(replicas(...states), 'llama', around);

  test('are as loaded as the least loaded one that may get requests', () => {
    assert.deepEqual(load(told({ waiting: 4 }), told({ waiting: 2 }), { name: 'Sleeping' }), {
      usable: 2,
      saturated: false,
      load: 0.4,
    });
  });

  test('are saturated when all are', () => {
    assert.deepEqual(load(told({ waiting: 9 }), told({ waiting: 6 })), { usable: 2, saturated: true, load: 1.2 });
    assert.equal(load(told({ waiting: 9 }), told()).saturated, false);
  });

  test('are left out when none may get requests', () => {
    assert.equal(load({ name: 'Wedged' }, { name: 'Loading' }).usable, 0);
    assert.equal(load().usable, 0);
  });

  test('stay in, as a last resort, when nothing is heard of any', () => {
    const { usable, saturated } = load({ name: 'Stale' }, { name: 'Stale' }, { name: 'Wedged' });
    assert.deepEqual([usable, saturated], [2, true]);
  });
});
