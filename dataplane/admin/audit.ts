// The audit of administrative changes: no change without a record of it. A record goes to the ledger before its change is made;
// while the ledger is away it goes to a file of its own in the data folder, flushed to disk, and from there to the ledger later.
// Where not even that works, the change is refused: a leaked key can be blocked while Postgres is away, but never in secret.
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '#platform/write-whole.ts';
import type { AuditEntry, Ledger } from '../costlog/ledger.ts';

export type AuditLog = {
  /** Resolves when the entry cannot be lost any more; rejects where it cannot be kept at all. */
  write(entry: AuditEntry): Promise<void>;
  /** Brings what waits in the data folder to the ledger; rejects while that is away. For the start, and now and then. */
  flush(): Promise<void>;
};

const LEDGER_MS = 2_000;
const RETRY_MS = 5_000;
/** A folder with more than this is not looked after by anybody. */
const MAX_WAITING = 10_000;

export function auditLog(ledger: Pick<Ledger, 'audit'>, dataFolder: string): AuditLog {
  const folder = join(dataFolder, 'audit');
  let isRetrying = false;
  const waiting = () => readdir(folder).catch(() => []);

  async function spool(entry: AuditEntry): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await waiting()).length >= MAX_WAITING) throw new Error('too many audit entries wait for the ledger');
    await writeWhole(join(folder, `${entry.id}.json`), JSON.stringify(entry));
    later();
  }

  function later(): void {
    if (isRetrying) return;
    isRetrying = true;
    setTimeout(() => {
      isRetrying = false;
      flush().catch(later);
    }, RETRY_MS).unref();
  }

  /** An entry has its id: bringing it twice, by two processes at once, changes nothing. */
  async function flush(): Promise<void> {
    for (const name of (await waiting()).filter(n => /^[\w-]+\.json$/.test(n))) {
      const file = join(folder, name);
      const text = await readFile(file, 'utf8').catch(() => undefined);
      if (text === undefined) continue;
      await ledger.audit(JSON.parse(text) as AuditEntry);
      await unlink(file).catch(() => {});
    }
  }

  return { flush, write: entry => within(LEDGER_MS, ledger.audit(entry)).catch(() => spool(entry)) };
}

/** A ledger that hangs is one that is away. */
function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the ledger did not answer in time')), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
