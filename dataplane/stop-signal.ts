// How a process that serves requests comes to its end.
import type { Log } from '#platform/log.ts';
import type { DataPlane } from './start.ts';

export type StopSignal = {
  /** Resolves when the process may end: what was begun is answered, or the time for that is over, or somebody insists. */
  drained(log: Log, drainMs: number, plane: Pick<DataPlane, 'drain'>): Promise<void>;
};

/**
 * Until there is something to drain, a signal ends the process: the first process of a container has no such default. The listener stays
 * the same all the time, because a signal that arrives while one takes the place of another is lost.
 */
export function onStopSignal(): StopSignal {
  let stop: (signal: NodeJS.Signals) => void = () => process.exit(0);
  const heard = (signal: NodeJS.Signals) => stop(signal);
  process.on('SIGTERM', heard).on('SIGINT', heard);
  return {
    drained: (log, drainMs, plane) =>
      new Promise(resolve => {
        let stopping = false;
        stop = signal => {
          if (stopping) return resolve();
          stopping = true;
          log.info({ signal }, 'draining: no new connections; once more to stop at once');
          setTimeout(resolve, drainMs).unref();
          plane.drain().then(resolve);
        };
      }),
  };
}
