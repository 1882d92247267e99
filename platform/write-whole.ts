// Replaces a file as one step that survives a crash: whoever reads it sees the old text or the new one, never a part.
import { randomUUID } from 'node:crypto';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The mode of a file that is replaced stays; a new one is its owner's alone. */
export async function writeWhole(file: string, text: string | Uint8Array): Promise<void> {
  const folder = dirname(file);
  // A dot file: nobody who reads the folder takes it for one of its files.
  const staged = join(folder, `.${basename(file).slice(0, 200)}.${randomUUID()}`);
  const mode = await stat(file).then(
    found => found.mode & 0o777,
    () => 0o600,
  );
  try {
    const handle = await open(staged, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(staged, file);
  } catch (error) {
    await unlink(staged).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

/** So that a rename or a removal is on disk too. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
