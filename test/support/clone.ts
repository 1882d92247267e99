// A copy of the project for a test that follows its documentation.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..', '..');

/** As a clone would be, after `npm ci`: what git has, and the packages that are installed here. */
export function copyProject(to: string): void {
  const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  }).stdout.split('\0');
  for (const file of listed)
    if (file !== '' && existsSync(path.join(root, file))) cpSync(path.join(root, file), path.join(to, file));
  const modules = path.join(to, 'node_modules');
  mkdirSync(modules, { recursive: true });
  // Not the caches: what is compiled in the copy goes with it.
  for (const entry of readdirSync(path.join(root, 'node_modules')))
    if (entry !== '.cache') symlinkSync(path.join(root, 'node_modules', entry), path.join(modules, entry));
}
