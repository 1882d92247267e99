// Watches folders, each by itself: node's own recursive watch ends the process on a link that leads to itself, and goes on
// watching a folder that was removed when another one has come in its place (Node 26).
import { type FSWatcher, statSync, watch } from 'node:fs';

/** Of more folders the kernel is not asked. */
const MAX_WATCHED = 1024;

export type FolderWatch = {
  /**
   * These folders, and no others, from now on.
   * @returns whether one of them was not watched before: it may have changed since it was looked at
   */
  follow(folders: readonly string[]): boolean;
  close(): void;
};

/** @param changed something in one of the folders is new, gone or different; often several times for one change */
export function folderWatch(changed: () => void): FolderWatch {
  const watchers = new Map<string, FSWatcher>();
  let isClosed = false;
  const follow = (folders: readonly string[]): boolean => {
    if (isClosed) return false;
    const wanted = new Map(folders.slice(0, MAX_WATCHED).flatMap(folder => identified(folder)));
    for (const [id, watcher] of watchers)
      if (!wanted.has(id)) {
        watcher.close();
        watchers.delete(id);
      }
    let isAnyNew = false;
    for (const [id, folder] of wanted) {
      const watcher = watchers.has(id) ? undefined : watched(folder, changed);
      if (!watcher) continue;
      watchers.set(id, watcher);
      isAnyNew = true;
    }
    return isAnyNew;
  };
  const close = () => {
    follow([]);
    isClosed = true;
  };
  return { follow, close };
}

/** A folder that was made anew under the same name is another one, even if the file system gives it the same number. */
function identified(folder: string): [id: string, folder: string][] {
  try {
    const { dev, ino, birthtimeMs } = statSync(folder);
    return [[`${dev} ${ino} ${birthtimeMs} ${folder}`, folder]];
  } catch {
    return [];
  }
}

/** undefined where the system has no watch to give. */
function watched(folder: string, changed: () => void): FSWatcher | undefined {
  try {
    return watch(folder, changed).on('error', () => {});
  } catch {
    return undefined;
  }
}
