// The end of a process that a test started.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Kills it, also when it is stopped (SIGSTOP), and waits until it is gone. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
