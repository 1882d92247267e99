// `tollgate migrate`: creates or updates the tables of the ledger, before the processes that use it start.
import { join } from 'node:path';
import type { Ledger } from '#dataplane/costlog/ledger.ts';
import { settingsOf } from './settings.ts';

export type MigrateIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
};

export async function migrate(args: readonly string[], io: MigrateIo): Promise<number> {
  if (args.includes('--help')) {
    io.out(help);
    return 0;
  }
  if (args.length > 0) {
    io.err('tollgate migrate takes no arguments\n');
    return 2;
  }
  const { name, ledger } = await ledgerOf(io.env);
  try {
    await ledger.migrate();
    io.out(`The ledger in ${name} is up to date.\n`);
    return 0;
  } catch (error) {
    io.err(`tollgate migrate: ${name}: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  } finally {
    await ledger.close();
  }
}

async function ledgerOf(env: MigrateIo['env']): Promise<{ readonly name: string; readonly ledger: Ledger }> {
  if (env.DATABASE_URL) {
    const { postgresLedger } = await import('#dataplane/costlog/postgres.ts');
    // Its password is nobody's business.
    return { name: 'Postgres', ledger: postgresLedger({ url: env.DATABASE_URL }) };
  }
  const { sqliteLedger } = await import('#dataplane/costlog/sqlite.ts');
  const file = join(settingsOf(env).dataFolder, 'ledger.db');
  return { name: file, ledger: sqliteLedger({ file }) };
}

const help = `Usage: tollgate migrate

Creates or updates the tables of the ledger: in the Postgres of DATABASE_URL, or without it in ledger.db in TOLLGATE_DATA (=.tollgate).
Every process does this itself when it starts; any number of them may, at once.
`;
