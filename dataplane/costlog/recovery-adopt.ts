// Takes over the spools that dead processes left in a shared data folder: brings their rows to the ledger and finds those that stayed open.
// Nothing of a folder is deleted before all of it is in the ledger, so that dying halfway, or doing it again, changes nothing.
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { rowKey } from '#core/accounting/recovery.ts';
import { lockFileOf } from './spool.ts';
import { linesOf } from './spool-lines.ts';
import { tryLock } from './spool-lock.ts';
import { segmentFiles } from './spool-segments.ts';

export type Adoption = {
  /** Brings finished rows to the ledger, or rejects. */
  readonly deliver: (rows: readonly CostRecord[]) => Promise<void>;
  /** Does what has to be done for rows that nobody will finish, or rejects. */
  readonly recover: (rows: readonly CostRecord[]) => Promise<void>;
};

/** `garbled`: lines that are not what was once written, among them the last one where the process died in the middle of it. */
export type Adopted = { readonly folder: string; readonly rows: number; readonly open: number; readonly garbled: number };

/** Folders of processes other than the named one, dead or alive. */
export async function otherSpools(root: string, ownName: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  return entries.filter(entry => entry.isDirectory() && entry.name !== ownName).map(entry => path.join(root, entry.name));
}

/** Whether another process works with this folder now. */
export async function hasNeighbour(root: string, ownName: string): Promise<boolean> {
  return (await otherSpools(root, ownName)).some(folder => {
    const lock = tryLock(lockFileOf(folder));
    lock?.release();
    return lock === undefined;
  });
}

/** undefined: its process lives, or another one is adopting it. */
export async function adoptSpool(folder: string, adoption: Adoption): Promise<Adopted | undefined> {
  const lock = tryLock(lockFileOf(folder));
  if (!lock) return undefined;
  try {
    // Another process may have been through with it just now.
    const adopted = existsSync(folder) ? await replay(folder, adoption) : undefined;
    await rm(folder, { recursive: true, force: true });
    await rm(lockFileOf(folder), { force: true });
    return adopted;
  } finally {
    lock.release();
  }
}

async function replay(folder: string, { deliver, recover }: Adoption): Promise<Adopted> {
  const open = new Map<string, CostRecord>();
  let rows = 0;
  let garbled = 0;
  for (const file of segmentFiles(folder))
    for (const lines of portionsOf(await readFile(file))) {
      const parsed = lines.rows.map(({ json }) => JSON.parse(json) as CostRecord);
      for (const row of parsed)
        if (row.state === 'open') open.set(rowKey(row), row);
        else open.delete(rowKey(row));
      const finished = parsed.filter(({ state }) => state !== 'open');
      await deliver(finished);
      rows += lines.rows.length;
      garbled += lines.garbled;
    }
  await recover([...open.values()]);
  return { folder, rows, open: open.size, garbled };
}

const PORTION_BYTES = 512 * 1024;

/** A file's lines, a portion at a time; a line that is not complete counts as garbled. */
function* portionsOf(file: Buffer): Generator<{ rows: readonly { json: string }[]; garbled: number }> {
  for (let at = 0; at < file.length; ) {
    const { rows, bytes, garbled } = linesOf(file.subarray(at, at + PORTION_BYTES));
    at += bytes;
    yield { rows, garbled: bytes === 0 ? 1 : garbled };
    if (bytes === 0) return;
  }
}
