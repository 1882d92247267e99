// A process that takes part in an election and, while it leads, writes its name into one ConfigMap as fast as it can; for tests that
// kill it, stop it and ask it to end. Its standard output: a line when it leads, and one when it leads no more. SIGUSR2: it stops itself
// (SIGSTOP) between two turns of its loop. What a process has handed to its socket a moment before it is stopped leaves when it goes on,
// and no process can take that back: the operator's writes of the pointer name what they are written over.
// usage: node leader-process.ts NAME
import pino from 'pino';
import { systemClock } from '#platform/clock.ts';
import { kubeClient } from '#platform/kube/client.ts';
import { clusterOf } from '#platform/kube/cluster.ts';
import { connectTo } from '#platform/kube/connection.ts';
import { fenced } from '../../../operator/runtime/fence.ts';
import { LeaseElector, type Term } from '../../../operator/runtime/lease.ts';
import { configMaps } from './kube.ts';

const identity = process.argv[2]!;
const connection = connectTo(await clusterOf(process.env), { userAgent: identity });
const elector = new LeaseElector({
  client: kubeClient(connection),
  lease: { namespace: 'default', name: 'leader' },
  identity,
  clock: systemClock,
  log: pino({ level: 'info', base: null }, pino.destination(2)),
  lead: write,
});
elector.start();
process.once('SIGTERM', async () => {
  await elector.stop();
  await connection.close();
});

process.on('SIGUSR2', () => process.kill(process.pid, 'SIGSTOP'));

async function write(term: Term): Promise<void> {
  const client = kubeClient(fenced(connection, term));
  console.log('leads');
  for (let count = 0; !term.signal.aborted; count++) {
    const written = { metadata: { name: 'written', namespace: 'default' }, data: { by: identity, count: String(count) } };
    // What fails is written again: only who writes, and when, is looked at.
    await client.apply(configMaps, written, { fieldManager: 'leader', force: true }).catch(() => {});
  }
  console.log('ended');
}
