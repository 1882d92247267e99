import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { migrate } from './migrate.ts';

const io = (env: Record<string, string>) => {
  const out: string[] = [];
  const err: string[] = [];
  return { out, err, io: { env, out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) } };
};

test('migrate makes the tables in the data folder where there is no DATABASE_URL, and may be repeated', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-migrate-'));
  try {
    const { out, io: first } = io({ TOLLGATE_DATA: join(folder, 'data') });
    assert.equal(await migrate([], first), 0);
    assert.equal(await migrate([], first), 0);
    assert.match(out.join(''), /ledger\.db is up to date/);
    assert.ok(existsSync(join(folder, 'data', 'ledger.db')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('migrate says that Postgres is away, without its password, and fails', async () => {
  const { err, io: away } = io({ DATABASE_URL: 'postgres://tollgate:hunter2@127.0.0.1:1/x' });
  assert.equal(await migrate([], away), 1);
  assert.match(err.join(''), /Postgres: .*ECONNREFUSED/);
  assert.doesNotMatch(err.join(''), /hunter2/);
});

test('migrate takes no arguments', async () => {
  assert.equal(await migrate(['--force'], io({}).io), 2);
});
