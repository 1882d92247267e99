// The Lua scripts beside this file: read once when a store is made, run by their digest, sent whole where Redis does not have them
// (after a restart, SCRIPT FLUSH, a failover). A file name ends in the number of its keys; `+`: and one for each window.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisClient } from '#platform/redis.ts';

export type Script = { readonly source: string; readonly digest: string };

export type ScriptName =
  | 'reserve-7+'
  | 'extend-7+'
  | 'settle-7+'
  | 'rebuild-4'
  | 'doubt-2'
  | 'expired-2'
  | 'copies-2'
  | 'forget-2'
  | 'beat-3'
  | 'renew-1';

const folder = new URL('scripts/', import.meta.url);

export function readScript(name: ScriptName): Script {
  const source = read(`${name}.lua`).replace(/^-- @include (\w+)$/gm, (_, part: string) => read(`includes/${part}.lua`));
  return { source, digest: createHash('sha1').update(source).digest('hex') };
}

export async function runScript(client: RedisClient, script: Script, keys: number, args: readonly string[]): Promise<unknown> {
  try {
    return await client.evalsha(script.digest, keys, ...args);
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    return client.eval(script.source, keys, ...args);
  }
}

const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
