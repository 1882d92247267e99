// Runs load.ts, in a process of its own, against a server.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadResult } from './load.ts';
import { cpuSeconds } from './process-cost.ts';
import { type Row, type SubjectName, subjects } from './rows.ts';
import { CORES, KEY, type Server, startNode } from './servers.ts';

export async function load({ port, pid }: Server, row: Row, subject: SubjectName, seconds: number): Promise<LoadResult> {
  await untilIdle(pid);
  const { model } = subjects[subject];
  const args = [`--port=${port}`, `--pid=${pid}`, `--key=${KEY}`, `--model=${model}`, `--seconds=${seconds}`, ...row.load];
  const child = startNode(CORES.others, 'load.ts', args);
  let output = '';
  child.stdout!.on('data', text => {
    output += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  return JSON.parse(output) as LoadResult;
}

/** The end of a run leaves streams without their client, which a gateway still has to account for: that is no part of the next run. */
async function untilIdle(pid: number): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const before = cpuSeconds(pid) ?? 0;
    await sleep(200);
    if ((cpuSeconds(pid) ?? 0) - before < 0.02) return;
  }
}
