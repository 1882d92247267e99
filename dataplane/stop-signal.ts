// How a process that serves requests comes to its end.
import type { Log } from '#platform/log.ts';
import type { DataPlane } from './start.ts';

/** Until there is something to drain, a signal ends the process: the first process of a container has no such default. */
export function endOnSignal(): { readonly over: () => void } {
  const end = () => process.exit(0);
  process.on('SIGTERM', end).on('SIGINT', end);
  return { over: () => void process.off('SIGTERM', end).off('SIGINT', end) };
}

/** Resolves when the process may end: what was begun is answered, or the time for that is over, or somebody insists. */
export function stopSignal(log: Log, drainMs: number, plane: Pick<DataPlane, 'drain'>): Promise<void> {
  return new Promise(resolve => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping) return resolve();
      stopping = true;
      log.info({ signal }, 'draining: no new connections; once more to stop at once');
      setTimeout(resolve, drainMs).unref();
      plane.drain().then(resolve);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}
