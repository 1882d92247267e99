// The rows of one gateway's own ledger, read from its file as an operator would.
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Gateway } from './gateway.ts';
import { until } from './until.ts';

export type AttemptRow = {
  readonly attempt: number;
  readonly purpose: string;
  readonly provider: string;
  readonly failure: string | null;
  readonly state: string;
  readonly estimated: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cost: number;
};

/** Of one request, in order, once so many of them are settled. */
export const rowsOf = ({ dataFolder }: Gateway, requestId: string, count: number): Promise<readonly AttemptRow[]> =>
  until(`${count} settled rows of ${requestId}`, () => {
    const rows = read(
      dataFolder,
      `select attempt, purpose, provider, failure, state, estimated, prompt_tokens, completion_tokens, cost_nano_usd as cost
       from attempts where request_id = ? order by attempt`,
      requestId,
    ) as unknown as AttemptRow[];
    return rows.length >= count && rows.every(row => row.state === 'settled') && rows;
  });

/** All attempts of the ledger, by purpose. */
export const attemptsByPurpose = ({ dataFolder }: Gateway): Readonly<Record<string, number>> =>
  Object.fromEntries(
    read(dataFolder, 'select purpose, count(*) as attempts from attempts group by purpose').map(row => [
      row.purpose,
      row.attempts,
    ]),
  );

function read(dataFolder: string, sql: string, ...values: readonly string[]) {
  const ledger = new DatabaseSync(path.join(dataFolder, 'ledger.db'), { readOnly: true });
  try {
    return ledger.prepare(sql).all(...values);
  } finally {
    ledger.close();
  }
}

export type LedgerRow = Readonly<Record<string, number>> & { readonly state: string; readonly tenant: string };

/** Whatever a test wants of the table `attempts`; none while there is no ledger yet. */
export function readLedger({ dataFolder }: Pick<Gateway, 'dataFolder'>, sql: string): readonly LedgerRow[] {
  try {
    return read(dataFolder, sql) as unknown as readonly LedgerRow[];
  } catch {
    return [];
  }
}
