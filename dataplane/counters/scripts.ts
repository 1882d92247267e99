// The Lua scripts beside this file, read once when a store is made. A file name ends in the number of its keys; `+`: and one for
// each window.
import { readFileSync } from 'node:fs';
import { type Script, scriptOf } from '#platform/redis-script.ts';

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
  return scriptOf(read(`${name}.lua`).replace(/^-- @include (\w+)$/gm, (_, part: string) => read(`includes/${part}.lua`)));
}

const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
