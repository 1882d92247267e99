// Secrets that a process without a cluster makes for itself and keeps in its data folder: the master key, and the keys of
// `generate`. Made at most once however many processes share the folder; readable by their owner only.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Reads the secret, or makes it where there is none yet. */
async function keptSecret(file: string, make: () => string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = make();
  try {
    await writeFile(file, `${fresh}\n`, { flag: 'wx', mode: 0o600 });
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readFile(file, 'utf8')).trim();
  }
}

export const masterKey = (dataFolder: string): Promise<string> =>
  keptSecret(join(dataFolder, 'master-key'), () => newKey('sk-master-', 32));

/** The key of one TenantKey with `generate`. */
export const generatedKey = (dataFolder: string, id: string, prefix: string, bytes: number): Promise<string> =>
  keptSecret(join(dataFolder, 'keys', encodeURIComponent(id)), () => newKey(prefix, bytes));

const newKey = (prefix: string, bytes: number): string => prefix + randomBytes(bytes).toString('base64url');
