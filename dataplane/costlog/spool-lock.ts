// Tells the folder of a dead process from that of a live one. A process holds a lock of the operating system (fcntl, as SQLite takes it)
// on `<folder>.lock` for as long as it lives; the kernel drops it when the process dies, in whatever way. So there is no process id
// to be reused or to be 1 in every container, no heartbeat to be late, and nothing to clean up after a kill -9. It holds between
// containers that mount one volume of one machine; on network file systems as far as their locks do.
import { DatabaseSync } from 'node:sqlite';

export type SpoolLock = { release(): void };

/** undefined: another process, or another part of this one, holds it. */
export function tryLock(path: string): SpoolLock | undefined {
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    // The journal stays off: nothing is ever written, the file is empty, the lock is all that is wanted.
    file.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    return { release: () => file.close() };
  } catch (error) {
    file.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
}

const SQLITE_BUSY = 5;
