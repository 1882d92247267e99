// Runs load.ts, in a process of its own, against a server.
import { once } from 'node:events';
import type { LoadResult } from './load.ts';
import { type Row, type SubjectName, subjects } from './rows.ts';
import { CORES, KEY, type Server, startNode } from './servers.ts';

export async function load({ port, pid }: Server, row: Row, subject: SubjectName, seconds: number): Promise<LoadResult> {
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
