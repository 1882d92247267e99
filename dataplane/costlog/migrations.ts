// The migrations of one kind of database: files NNN-name.sql, each run once, in order, all under one lock.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Query } from './store.ts';

type Migration = { readonly name: string; readonly text: string };

export function migrationsOf(kind: 'postgres' | 'sqlite'): Migration[] {
  const folder = join(import.meta.dirname, 'sql', kind);
  const names = readdirSync(folder).filter(name => name.endsWith('.sql'));
  return names.toSorted().map(name => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

/** @param query within a transaction that holds the lock */
export async function runMigrations(
  query: Query,
  run: (text: string) => Promise<void>,
  migrations: readonly Migration[],
): Promise<void> {
  await query('create table if not exists ledger_migrations (name text primary key)');
  const done = new Set((await query('select name from ledger_migrations')).map(row => row.name));
  for (const { name, text } of migrations) {
    if (done.has(name)) continue;
    await run(text);
    await query('insert into ledger_migrations (name) values ($1)', [name]);
  }
}
