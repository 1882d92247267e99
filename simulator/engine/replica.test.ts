import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Job, Replica, type ReplicaSettings } from './replica.ts';

const settings: ReplicaSettings = {
  maxNumSeqs: 2,
  maxNumBatchedTokens: 64,
  maxNumQueuedReqs: 2,
  blockSize: 4,
  numGpuBlocks: 64,
  maxModelLen: 256,
  maxLoras: 1,
  cost: { step: 10, perSequence: 0, perPrefillToken: 0, jitter: 0 },
  seed: 1,
  dataParallelSize: 1,
  speed: 1,
  startup: 0,
};

function submitted(replica: Replica, now: number, outputTokens = 5, promptTokens = 8): Job {
  const submission = replica.submit({ promptTokens, outputTokens, finish: 'stop', hashes: [] }, now);
  if ('refused' in submission) throw new Error(submission.refused);
  return submission.job;
}

const totals = (replica: Replica) => {
  const [engine] = replica.reading(0).engines;
  const { promptTokens, generationTokens, finished } = engine!.counters;
  return {
    running: engine!.running,
    waiting: engine!.waiting,
    kv: engine!.kvUsage,
    promptTokens,
    generationTokens,
    iterations: engine!.histograms.iterationTokens.count,
    ended: finished.stop + finished.length,
  };
};

test('tokens come with the clock, also when it is looked at late', () => {
  const replica = new Replica(settings, 0);
  const job = submitted(replica, 0);
  assert.equal(replica.advance(9), 10);
  assert.equal(job.sequence.generated, 0);
  assert.equal(replica.advance(35), 40);
  assert.equal(job.sequence.generated, 3);
  assert.equal(replica.advance(1000), undefined);
  assert.equal(job.sequence.state, 'done');
});

test('twice the speed is half the time', () => {
  const replica = new Replica({ ...settings, speed: 2 }, 0);
  submitted(replica, 0);
  assert.equal(replica.advance(0), 5);
});

test('a process that was stopped does not make up for it', () => {
  const replica = new Replica(settings, 0);
  const job = submitted(replica, 0, 200);
  replica.advance(60_000);
  assert.equal(job.sequence.generated, 1);
});

test('a start takes its time, and the first requests are refused', () => {
  const replica = new Replica({ ...settings, startup: 500 }, 0);
  const early = replica.submit({ promptTokens: 1, outputTokens: 1, finish: 'stop', hashes: [] }, 400);
  assert.deepEqual(early, { refused: 'loading' });
  assert.equal(replica.advance(400), 500);
  replica.advance(500);
  assert.equal(replica.state, 'serving');
});

test('the queue is bounded', () => {
  const replica = new Replica(settings, 0);
  for (let at = 0; at < 4; at++) submitted(replica, at * 10);
  assert.deepEqual(replica.submit({ promptTokens: 1, outputTokens: 1, finish: 'stop', hashes: [] }, 40), { refused: 'busy' });
});

test('wedged: it takes requests and makes no progress, and its metrics stand still', () => {
  const replica = new Replica(settings, 0);
  const job = submitted(replica, 0);
  replica.advance(15);
  replica.enter('wedged', 15);
  const before = totals(replica);
  assert.equal(before.running, 1);
  const late = submitted(replica, 20);
  assert.equal(replica.advance(5000), undefined);
  assert.deepEqual(totals(replica), before);
  assert.deepEqual([job.sequence.generated, late.sequence.generated], [1, 0]);
});

test('stuck: new requests show as waiting, nothing else moves', () => {
  const replica = new Replica(settings, 0);
  replica.enter('stuck', 0);
  submitted(replica, 0);
  replica.advance(5000);
  const { running, waiting, kv, iterations } = totals(replica);
  assert.deepEqual([running, waiting, kv, iterations], [0, 1, 0, 0]);
});

test('what was wedged goes on where it stood', () => {
  const replica = new Replica(settings, 0);
  const job = submitted(replica, 0);
  replica.advance(15);
  replica.enter('wedged', 15);
  replica.enter('serving', 1000);
  replica.advance(1500);
  assert.deepEqual([job.sequence.state, job.sequence.generated], ['done', 5]);
});

test('dead: what was under way fails, gauges keep their values, new requests are refused', () => {
  const replica = new Replica(settings, 0);
  const job = submitted(replica, 0);
  let told = 0;
  job.onChange = () => (told += 1);
  replica.advance(5);
  replica.enter('dead', 5);
  assert.deepEqual([job.failure, told, totals(replica).running], ['engine', 1, 1]);
  assert.deepEqual(replica.submit({ promptTokens: 1, outputTokens: 1, finish: 'stop', hashes: [] }, 6), { refused: 'dead' });
});

test('asleep: it looks idle, and what comes waits until it wakes up', () => {
  const replica = new Replica(settings, 0);
  const hashes = ['a', 'b'];
  replica.submit({ promptTokens: 9, outputTokens: 1, finish: 'stop', hashes }, 0);
  replica.advance(100);
  replica.enter('sleeping', 100);
  assert.equal(replica.reading(0).sleep, 'weights_offloaded');
  const job = submitted(replica, 110);
  replica.advance(1000);
  const { running, kv } = totals(replica);
  assert.deepEqual([running, kv, job.sequence.generated], [0, 0, 0]);
  replica.enter('serving', 1000);
  replica.advance(1100);
  assert.equal(job.sequence.state, 'done');
  replica.submit({ promptTokens: 9, outputTokens: 1, finish: 'stop', hashes }, 1200);
  replica.advance(1300);
  assert.equal(replica.reading(0).engines[0]!.counters.prefixHits, 0, 'its cache is gone');
});

test('draining: it ends what it has and takes nothing new', () => {
  const replica = new Replica(settings, 0);
  const job = submitted(replica, 0);
  replica.enter('draining', 5);
  assert.deepEqual(replica.submit({ promptTokens: 1, outputTokens: 1, finish: 'stop', hashes: [] }, 6), { refused: 'draining' });
  replica.advance(100);
  assert.equal(job.sequence.state, 'done');
});

test('a restart takes counters to zero, and what was under way with it', () => {
  const replica = new Replica(settings, 0);
  submitted(replica, 0, 2);
  replica.advance(100);
  const job = submitted(replica, 100);
  replica.restart(110, 50);
  assert.deepEqual([job.failure, replica.state, replica.reading(0).startedAt], ['process', 'loading', 110]);
  assert.deepEqual(totals(replica), {
    running: 0,
    waiting: 0,
    kv: 0,
    promptTokens: 0,
    generationTokens: 0,
    iterations: 0,
    ended: 0,
  });
});

test('while a long prompt is prefilled in chunks only the KV usage moves', () => {
  const replica = new Replica(settings, 0);
  submitted(replica, 0, 2, 200);
  const seen = [5, 15, 25, 35].map(now => {
    replica.advance(now);
    return totals(replica);
  });
  assert.deepEqual(
    seen.map(({ kv }) => kv),
    [16, 32, 48, 50].map(blocks => blocks / 64),
  );
  for (const { promptTokens, generationTokens, iterations, ended } of seen)
    assert.deepEqual([promptTokens, generationTokens, iterations, ended], [0, 0, 0, 0]);
  replica.advance(45);
  assert.deepEqual([totals(replica).promptTokens, totals(replica).iterations], [200, 1]);
});

test('several engines share the work, each with its own batch', () => {
  const replica = new Replica({ ...settings, dataParallelSize: 2 }, 0);
  for (let at = 0; at < 4; at++) submitted(replica, 0);
  assert.deepEqual(
    replica.reading(0).engines.map(({ engine, running, waiting }) => [engine, running + waiting]),
    [
      [0, 2],
      [1, 2],
    ],
  );
});

test('times to the first token and between tokens are measured', () => {
  const replica = new Replica(settings, 0);
  submitted(replica, 0);
  replica.advance(1000);
  const { firstToken, interToken, endToEnd } = replica.reading(0).engines[0]!.histograms;
  assert.deepEqual([firstToken.count, interToken.count, endToEnd.count], [1, 4, 1]);
  assert.ok(
    Math.abs(firstToken.sum - 0.01) < 1e-9 && Math.abs(interToken.sum - 0.04) < 1e-9 && Math.abs(endToEnd.sum - 0.05) < 1e-9,
  );
});
