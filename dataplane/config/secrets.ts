// Secrets that a process without a cluster makes for itself and keeps in its data folder: the master key, and the keys of
// `generate`. Made at most once however many processes share the folder; readable by their owner only.
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Reads the secret, or makes it where there is none yet. */
async function keptSecret(file: string, make: () => string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return (await readSecret(file)) ?? (await writeSecret(file, make()));
}

async function readSecret(file: string): Promise<string | undefined> {
  try {
    const secret = (await readFile(file, 'utf8')).trim();
    // The empty key is what a client without a key presents.
    if (secret === '')
      throw Object.assign(new Error(`${file} is empty: delete it to have a new key made`), { code: 'EMPTY_SECRET' });
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written aside and put in place whole, so that no other process ever reads half of it; the first one wins. */
async function writeSecret(file: string, fresh: string): Promise<string> {
  const draft = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    await writeFile(draft, `${fresh}\n`, { flag: 'wx', mode: 0o600 });
    await link(draft, file);
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readSecret(file))!;
  } finally {
    await rm(draft, { force: true });
  }
}

export const masterKey = (dataFolder: string): Promise<string> =>
  keptSecret(join(dataFolder, 'master-key'), () => newKey('sk-master-', 32));

/** The key of one TenantKey with `generate`. */
export const generatedKey = (dataFolder: string, id: string, prefix: string, bytes: number): Promise<string> =>
  keptSecret(join(dataFolder, 'keys', encodeURIComponent(id)), () => newKey(prefix, bytes));

const newKey = (prefix: string, bytes: number): string => prefix + randomBytes(bytes).toString('base64url');
