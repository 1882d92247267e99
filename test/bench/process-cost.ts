// What a process costs, as Linux tells it; undefined on other systems.
import { readdirSync, readFileSync } from 'node:fs';

/** Seconds of CPU so far, of all threads. */
export function cpuSeconds(pid: number): number | undefined {
  return orUndefined(() => {
    const tasks = `/proc/${pid}/task`;
    const nanoseconds = readdirSync(tasks).map(task =>
      Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ')[0]),
    );
    return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
  });
}

export function residentMiB(pid: number): number | undefined {
  return orUndefined(() => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024);
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
