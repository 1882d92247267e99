// Leaders that are killed, stopped, cut off and asked to end, as processes on a real API server: another takes over in time, and the
// server never sees a write of one leader after one of the next.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { measuring, seconds } from './support/figures.ts';
import { ended } from './support/process.ts';
import { startRelay } from './support/wire.ts';

/** Goals. What is asserted is that it happens, and in which order. */
const TAKEOVER_MS = 17_000;
const RELEASED_MS = 5_000;
const DEADLINE_MS = 60_000;

class Candidate {
  readonly name: string;
  readonly process: ChildProcess;
  leads = false;
  log = '';

  constructor(name: string, env: NodeJS.ProcessEnv) {
    this.name = name;
    const program = path.join(import.meta.dirname, 'support', 'leader-process.ts');
    this.process = spawn(process.execPath, [program, name], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr!.on('data', (text: Buffer) => {
      this.log += text;
    });
    createInterface(this.process.stdout!).on('line', line => {
      this.leads = line === 'leads';
    });
  }
}

describe('of two candidates', { skip: withoutApiServer }, () => {
  let server: ApiServer;
  const candidates: Candidate[] = [];
  before(async () => {
    server = await startApiServer({ crds: false });
  });
  afterEach(async () => {
    await Promise.all(candidates.splice(0).map(candidate => ended(candidate.process)));
    await server.call('DELETE', '/apis/coordination.k8s.io/v1/namespaces/default/leases/leader');
  });
  after(() => server?.stop());

  async function candidate(name: string, port?: number): Promise<Candidate> {
    const { inCluster } = await server.access(undefined, port);
    const started = new Candidate(name, inCluster);
    candidates.push(started);
    return started;
  }

  /** The first leads and writes; the second waits. */
  async function leaderAndNext(names: [string, string], port?: number): Promise<[Candidate, Candidate]> {
    const leader = await candidate(names[0], port);
    await until(`${names[0]} leads`, () => leader.leads);
    const next = await candidate(names[1]);
    await until(`${names[0]} writes`, async () => (await writers()).includes(leader.name));
    // Until the second has seen the lease, too.
    await until(`${names[1]} looks`, async () => (await requestsOf(names[1])).length > 1);
    return [leader, next];
  }

  const requestsOf = async (name: string) => (await server.audit()).filter(({ userAgent }) => userAgent === name);

  /** Who wrote, in the order in which the server did it. */
  async function writers(): Promise<string[]> {
    const writes = (await server.audit()).filter(
      ({ verb, objectRef, responseStatus }) => verb === 'patch' && objectRef?.name === 'written' && responseStatus!.code < 300,
    );
    return writes.map(({ userAgent }) => userAgent!);
  }

  async function assertInTurns(first: string, second: string): Promise<void> {
    const order = (await writers()).filter(name => name === first || name === second);
    assert.ok(order.includes(first) && order.includes(second), 'both wrote');
    assert.equal(order.lastIndexOf(first) < order.indexOf(second), true, 'the writes are interleaved');
  }

  test('the second takes over in time when the first is killed', async () => {
    const figure = measuring(import.meta.filename);
    const [leader, next] = await leaderAndNext(['killed', 'after-killed']);
    leader.process.kill('SIGKILL');
    const began = performance.now();
    await until('the second leads', () => next.leads, DEADLINE_MS);
    const took = performance.now() - began;
    figure({
      row: '11a',
      goal: 'leader killed: the next leads < 17 s later, no interleaved write',
      measured: seconds(took),
      isMet: took < TAKEOVER_MS,
    });
    await until('the second writes', async () => (await writers()).includes(next.name));
    await assertInTurns(leader.name, next.name);
  });

  test('the second takes over at once when the first is asked to end', async () => {
    const figure = measuring(import.meta.filename);
    const [leader, next] = await leaderAndNext(['asked', 'after-asked']);
    const began = performance.now();
    leader.process.kill('SIGTERM');
    await until('the second leads', () => next.leads, DEADLINE_MS);
    const took = performance.now() - began;
    figure({
      row: '11b',
      goal: 'leader asked to end (SIGTERM): the next leads < 5 s later, no interleaved write',
      measured: seconds(took),
      isMet: took < RELEASED_MS,
    });
    await until('the first has ended', () => leader.process.exitCode !== null);
    assert.equal(leader.process.exitCode, 0, leader.log);
    await until('the second writes', async () => (await writers()).includes(next.name));
    await assertInTurns(leader.name, next.name);
  });

  test('a first that stood still for longer than its term writes nothing when it goes on', async () => {
    const figure = measuring(import.meta.filename);
    const [leader, next] = await leaderAndNext(['stopped', 'after-stopped']);
    leader.process.kill('SIGUSR2');
    const began = performance.now();
    await until('the second leads', () => next.leads, DEADLINE_MS);
    const took = performance.now() - began;
    figure({
      row: '11c',
      goal: 'leader paused (SIGSTOP): the next leads < 17 s later, no interleaved write',
      measured: seconds(took),
      isMet: took < TAKEOVER_MS,
    });
    await until('the second writes', async () => (await writers()).includes(next.name));
    leader.process.kill('SIGCONT');
    await until('the first knows', () => !leader.leads);
    await pause(1_000);
    await assertInTurns(leader.name, next.name);
  });

  test('a first that cannot reach the server ends its term by itself, before the second begins', async t => {
    const relay = await startRelay(server);
    t.after(() => relay.close());
    const [leader, next] = await leaderAndNext(['cut-off', 'after-cut-off'], relay.port);
    relay.refuse(true);
    await until('the first ends its term', () => !leader.leads, DEADLINE_MS);
    assert.equal(next.leads, false);
    await until('the second leads', () => next.leads, DEADLINE_MS);
    relay.refuse(false);
    await until('the second writes', async () => (await writers()).includes(next.name));
    await pause(1_000);
    await assertInTurns(leader.name, next.name);
    assert.equal(leader.leads, false);
  });

  test('a first whose server hangs for less than its term stays', async () => {
    const [leader, next] = await leaderAndNext(['patient', 'after-patient']);
    server.pause();
    await pause(6_000);
    server.resume();
    await pause(4_000);
    assert.equal(leader.leads, true);
    assert.equal(next.leads, false);
  });
});
