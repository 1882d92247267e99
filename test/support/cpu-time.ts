// How much work something is, for tests that compare it with other work: the CPU time of this thread, which a busy machine does not change much.

/** Milliseconds of CPU; of several runs the least. */
export function cpuMs(work: () => void, runs = 3): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
