// Lua scripts on Redis: run by their digest, sent whole where Redis does not have them (after a restart, SCRIPT FLUSH, a failover).
import { createHash } from 'node:crypto';
import type { RedisClient } from './redis.ts';

export type Script = { readonly source: string; readonly digest: string };

export const scriptOf = (source: string): Script => ({ source, digest: createHash('sha1').update(source).digest('hex') });

/** @param keys how many of `args` are keys; they come first */
export async function runScript(client: RedisClient, script: Script, keys: number, args: readonly string[]): Promise<unknown> {
  try {
    return await client.evalsha(script.digest, keys, ...args);
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    return client.eval(script.source, keys, ...args);
  }
}
