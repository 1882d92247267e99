import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Batching, type BatchingSettings, type NewSequence, type Sequence } from './batching.ts';

const settings: BatchingSettings = {
  maxNumSeqs: 4,
  maxNumBatchedTokens: 64,
  maxNumQueuedReqs: 0,
  blockSize: 4,
  numGpuBlocks: 64,
  maxModelLen: 256,
  maxLoras: 1,
  cost: { step: 10, perSequence: 1, perPrefillToken: 0.5, jitter: 0 },
  seed: 1,
};

/** Full blocks of a prompt that begins with `shared` and goes on in its own way. */
const hashes = (shared: string, own: string, tokens: number, sharedBlocks: number): string[] =>
  Array.from({ length: Math.floor(tokens / settings.blockSize) }, (_, at) => `${at < sharedBlocks ? shared : own}:${at}`);

let made = 0;
const sequence = (promptTokens: number, outputTokens = 2, rest: Partial<NewSequence> = {}): NewSequence => ({
  promptTokens,
  outputTokens,
  finish: 'stop',
  hashes: hashes('', `own${made++}`, promptTokens + outputTokens, 0),
  ...rest,
});

const step = (engine: Batching) => {
  const cost = engine.plan();
  return cost === undefined ? undefined : { cost, ...engine.complete() };
};

function drained(engine: Batching, most = 10_000): number {
  for (let steps = 0; steps < most; steps++) if (!step(engine)) return steps;
  throw new Error(`still at work after ${most} steps`);
}

test('a prompt is computed in one step, and each step after it gives a token', () => {
  const engine = new Batching(settings);
  const one = engine.add(sequence(8, 3))!;
  assert.deepEqual([step(engine)!.first, one.generated], [[one], 1]);
  assert.equal(one.state, 'running');
  step(engine);
  assert.deepEqual([step(engine)!.done, one.generated, one.state], [[one], 3, 'done']);
  assert.equal(engine.plan(), undefined);
  assert.equal(engine.kvUsage, 0);
});

test('a step costs more with each sequence and each prompt token', () => {
  const engine = new Batching(settings);
  engine.add(sequence(8, 3));
  assert.equal(step(engine)!.cost, 10 + 1 + 8 * 0.5);
  assert.equal(step(engine)!.cost, 10 + 1);
  engine.add(sequence(4, 3));
  assert.equal(step(engine)!.cost, 10 + 2 + 4 * 0.5);
});

test('no more than maxNumSeqs run, the others wait in their order', () => {
  const engine = new Batching(settings);
  const all = Array.from({ length: 6 }, () => engine.add(sequence(4, 4))!);
  step(engine);
  assert.deepEqual([engine.running, engine.waiting], [all.slice(0, 4), all.slice(4)]);
});

test('beyond maxNumQueuedReqs it refuses', () => {
  const engine = new Batching({ ...settings, maxNumSeqs: 1, maxNumQueuedReqs: 1 });
  engine.add(sequence(4));
  step(engine);
  assert.ok(engine.add(sequence(4)));
  assert.equal(engine.add(sequence(4)), undefined);
  assert.equal(engine.counters.refusals, 1);
});

test('of a prompt longer than a step nothing moves but the KV usage until it is prefilled', () => {
  const engine = new Batching(settings);
  const long = engine.add(sequence(200, 2))!;
  const usage: number[] = [];
  for (let chunk = 0; chunk < 3; chunk++) {
    assert.deepEqual(step(engine)!.advanced, []);
    usage.push(engine.kvUsage);
    assert.deepEqual([engine.counters.promptTokens, engine.counters.generationTokens], [0, 0]);
  }
  assert.deepEqual(usage, [16 / 64, 32 / 64, 48 / 64]);
  assert.deepEqual(step(engine)!.first, [long]);
  assert.equal(engine.counters.promptTokens, 200);
});

test('a prefix that another prompt had is not computed again', () => {
  const engine = new Batching(settings);
  engine.add(sequence(16, 2, { hashes: hashes('shared', 'a', 18, 3) }));
  drained(engine);
  const second = engine.add(sequence(16, 2, { hashes: hashes('shared', 'b', 18, 3) }))!;
  assert.equal(step(engine)!.cost, 10 + 1 + 4 * 0.5);
  assert.equal(second.cachedTokens, 12);
  assert.deepEqual([engine.counters.prefixQueries, engine.counters.prefixHits], [32, 12]);
});

test('the next turn of a conversation finds the answer of the last one too', () => {
  const engine = new Batching(settings);
  const turns = hashes('talk', '', 40, 10);
  engine.add(sequence(16, 9, { hashes: turns.slice(0, 6) }));
  drained(engine);
  // 24 of the first turn's 25 tokens were computed: the last one was only said.
  const second = engine.add(sequence(32, 2, { hashes: turns.slice(0, 8) }))!;
  drained(engine);
  assert.equal(second.cachedTokens, 24);
});

test('an equal prompt computes at least its last token', () => {
  const engine = new Batching(settings);
  const same = hashes('same', '', 16, 4);
  for (const expected of [0, 12]) {
    const added = engine.add(sequence(16, 1, { hashes: same }))!;
    drained(engine);
    assert.equal(added.cachedTokens, expected);
  }
});

test('what was not used for longest is forgotten first', () => {
  const engine = new Batching({ ...settings, numGpuBlocks: 16, maxModelLen: 64 });
  const ask = (name: string) => {
    const added = engine.add(sequence(24, 1, { hashes: hashes(name, '', 24, 6) }))!;
    drained(engine);
    return added.cachedTokens;
  };
  assert.deepEqual([ask('a'), ask('b'), ask('a'), ask('c')], [0, 0, 20, 0]);
  assert.equal(ask('a'), 20, 'a was used after b');
  assert.equal(ask('b'), 12, 'c took blocks of b, from its end');
});

test('a full cache preempts the youngest, which begins again and still ends', () => {
  const engine = new Batching({ ...settings, numGpuBlocks: 8, maxModelLen: 32 });
  const [old, young] = [engine.add(sequence(14, 16))!, engine.add(sequence(14, 16))!];
  step(engine);
  assert.deepEqual([old.state, young.state], ['running', 'running']);
  while (engine.counters.preemptions === 0) step(engine);
  assert.deepEqual([old.state, young.state], ['running', 'waiting']);
  assert.ok(young.generated > 0, 'what it said stays said');
  drained(engine);
  assert.deepEqual([old.generated, young.generated], [16, 16]);
  assert.equal(engine.counters.promptTokens, 28, 'a prompt counts once');
});

test('a sequence whose adapter has no room lets others pass', () => {
  const engine = new Batching(settings);
  const [a, b, plain] = [
    engine.add(sequence(4, 3, { adapter: 'a' }))!,
    engine.add(sequence(4, 3, { adapter: 'b' }))!,
    engine.add(sequence(4, 3))!,
  ];
  step(engine);
  assert.deepEqual([a.state, b.state, plain.state], ['running', 'waiting', 'running']);
  drained(engine);
  assert.equal(b.state, 'done');
});

test('an aborted sequence gives its blocks back, also in the middle of a step', () => {
  const engine = new Batching(settings);
  const gone = engine.add(sequence(8, 9))!;
  engine.plan();
  engine.abort(gone);
  assert.equal(engine.kvUsage, 0);
  assert.deepEqual(engine.complete().advanced, []);
  engine.abort(gone);
  assert.equal(engine.counters.finished.abort, 1);
});

test('it does not start where its longest sequence would never fit', () => {
  assert.throws(() => new Batching({ ...settings, numGpuBlocks: 63 }), /does not fit into 63 blocks of 4/);
});

// ------------------------------------------------------------------ properties

type Asked = {
  readonly prompt: number;
  readonly output: number;
  readonly shared: number;
  readonly at: number;
  readonly abortAfter: number;
};

const workload = fc.array(
  fc.record<Asked>({
    prompt: fc.integer({ min: 1, max: 90 }),
    output: fc.integer({ min: 1, max: 30 }),
    shared: fc.integer({ min: 0, max: 10 }),
    at: fc.integer({ min: 0, max: 60 }),
    abortAfter: fc.integer({ min: 0, max: 200 }),
  }),
  { minLength: 1, maxLength: 30 },
);
const small: BatchingSettings = { ...settings, numGpuBlocks: 32, maxModelLen: 128, maxNumBatchedTokens: 40 };

/** Runs a workload to its end and looks at the engine after every step. */
function run(asked: readonly Asked[], look: (engine: Batching) => void, over: Partial<BatchingSettings> = {}) {
  const engine = new Batching({ ...small, ...over });
  const added: Sequence[] = [];
  const trace: unknown[] = [];
  const startOrder: number[] = [];
  const pending = asked.toSorted((a, b) => a.at - b.at);
  for (let tick = 0; pending.length > 0 || engine.running.length + engine.waiting.length > 0; tick++) {
    assert.ok(tick < 20_000, 'every sequence ends');
    while (pending[0] && pending[0].at <= tick) {
      const { prompt, output, shared } = pending.shift()!;
      const own = hashes('system', `own${added.length}`, prompt + output, shared);
      added.push(engine.add({ promptTokens: prompt, outputTokens: output, finish: 'length', hashes: own })!);
    }
    const cost = engine.plan();
    look(engine);
    if (cost === undefined) continue;
    const { started, advanced } = engine.complete();
    startOrder.push(...started.map(({ id }) => id));
    trace.push([cost, advanced.map(({ id }) => id)]);
    look(engine);
  }
  return { engine, added, trace, startOrder };
}

test('whatever is asked: blocks never exceed the cache, the batch keeps its bounds, and every sequence ends with what it asked for', () => {
  fc.assert(
    fc.property(workload, asked => {
      const { engine, added } = run(asked, ({ running, kvUsage }) => {
        assert.ok(running.length <= small.maxNumSeqs);
        assert.ok(kvUsage >= 0 && kvUsage <= 1);
      });
      assert.deepEqual(
        added.map(({ state, generated }) => [state, generated]),
        added.map(({ outputTokens }) => ['done', outputTokens]),
      );
      assert.equal(engine.kvUsage, 0);
      const { promptTokens, generationTokens, prefixQueries, prefixHits } = engine.counters;
      assert.equal(
        promptTokens,
        asked.reduce((sum, { prompt }) => sum + prompt, 0),
      );
      assert.equal(
        generationTokens,
        asked.reduce((sum, { output }) => sum + output, 0),
      );
      assert.equal(prefixQueries, promptTokens);
      assert.ok(prefixHits <= prefixQueries);
    }),
  );
});

test('whatever is asked: sequences are first scheduled in the order in which they came', () => {
  fc.assert(
    fc.property(workload, asked => {
      const { startOrder } = run(asked, () => {});
      assert.deepEqual(
        startOrder,
        startOrder.toSorted((a, b) => a - b),
      );
    }),
  );
});

test('whatever is asked: the same seed gives the same steps, another one other times', () => {
  const cost = { ...small.cost, jitter: 0.3 };
  fc.assert(
    fc.property(workload, asked => {
      const trace = (seed: number) => run(asked, () => {}, { cost, seed }).trace;
      assert.deepEqual(trace(7), trace(7));
      assert.notDeepEqual(trace(7), trace(8));
    }),
  );
});

test('whatever is aborted and when: nothing stays behind, and the others end', () => {
  fc.assert(
    fc.property(workload, asked => {
      const engine = new Batching(small);
      const added = asked.map(({ prompt, output }) => engine.add(sequence(prompt, output))!);
      for (let tick = 0; engine.running.length + engine.waiting.length > 0; tick++) {
        assert.ok(tick < 20_000);
        engine.plan();
        for (const [index, { abortAfter }] of asked.entries()) if (abortAfter === tick) engine.abort(added[index]!);
        engine.complete();
      }
      assert.equal(engine.kvUsage, 0);
      const { stop, abort } = engine.counters.finished;
      assert.equal(stop + abort, asked.length);
    }),
  );
});
