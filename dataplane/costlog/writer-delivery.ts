// Brings rows to a ledger that may be away and may refuse a single row, whatever it rejects with. The two are told apart by what it does:
// a row is refused when it failed alone while others were taken; where nothing is taken, the ledger is away.
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { latestStates, rowKey } from '#core/accounting/recovery.ts';
import type { Ledger } from './ledger.ts';

export type Delivery = {
  /**
   * Rejects when the ledger took nothing. `left` are rows to hand in again, best with others beside them; a row that was refused
   * three times is set aside and is in `done` too: nothing more is to be done for it.
   * @param json of each row, where somebody has it already
   */
  deliver(
    rows: readonly CostRecord[],
    json?: readonly string[],
  ): Promise<{ readonly done: readonly CostRecord[]; readonly left: readonly CostRecord[] }>;
};

/** Keeps what the ledger will never take. Rejects when it cannot. */
export type SetAside = (row: CostRecord, reason: string) => Promise<void>;

/** A ledger may come and go between two writes, so one round proves little. */
const MAX_STRIKES = 3;
const MAX_SUSPECTS = 10_000;

export function delivery(ledger: Pick<Ledger, 'write'>, setAside: SetAside): Delivery {
  const strikes = new Map<string, number>();
  let rounds = 0;

  /** @returns whether nothing more is to be done for it */
  const isOver = async ({ row, error }: Refused): Promise<boolean> => {
    const key = rowKey(row);
    const count = (strikes.get(key) ?? 0) + 1;
    if (count >= MAX_STRIKES) await setAside(row, String(error));
    if (count >= MAX_STRIKES || strikes.size >= MAX_SUSPECTS) strikes.delete(key);
    else strikes.set(key, count);
    return count >= MAX_STRIKES;
  };

  return {
    async deliver(rows, json) {
      try {
        await ledger.write(rows, json);
        return { done: rows, left: [] };
      } catch (error) {
        // Now from this end, now from that, so that no row that is refused stands before all others for ever.
        const { taken, refused, untried } = await oneByOne(ledger, rows, rounds++ % 2 === 1);
        if (taken.length === 0) throw error;
        for (const row of taken) strikes.delete(rowKey(row));
        const [done, left] = [[...taken], [...untried]];
        for (const one of refused) {
          const verdict = await triedBetween(ledger, taken[0]!, one.row);
          const isDone = verdict === 'taken' || (verdict === 'refused' && (await isOver(one)));
          (isDone ? done : left).push(one.row);
        }
        return { done, left };
      }
    },
  };
}

/** A ledger that comes and goes is told from one that refuses the row: one that the ledger has already is written before it and after it. */
async function triedBetween(
  ledger: Pick<Ledger, 'write'>,
  known: CostRecord,
  row: CostRecord,
): Promise<'taken' | 'refused' | 'unsure'> {
  const takes = (one: CostRecord) =>
    ledger.write([one]).then(
      () => true,
      () => false,
    );
  if (!(await takes(known))) return 'unsure';
  if (await takes(row)) return 'taken';
  return (await takes(known)) ? 'refused' : 'unsure';
}

type Refused = { readonly row: CostRecord; readonly error: unknown };
type Sorted = { readonly taken: CostRecord[]; readonly refused: Refused[]; readonly untried: CostRecord[] };

/** Halves what fails until it is a single row. Gives up once so much in a row has failed that the ledger must be away. */
async function oneByOne(ledger: Pick<Ledger, 'write'>, rows: readonly CostRecord[], lastFirst: boolean): Promise<Sorted> {
  const sorted: Sorted = { taken: [], refused: [], untried: [] };
  const maxFailures = Math.ceil(Math.log2(rows.length + 1)) + 4;
  const parts = halvesOf(rows, lastFirst);
  let failed = 0;
  for (let part = parts.pop(); part; part = parts.pop()) {
    if (failed > maxFailures) {
      sorted.untried.push(...part);
      continue;
    }
    try {
      await ledger.write(part);
      sorted.taken.push(...part);
      failed = 0;
    } catch (error) {
      failed++;
      if (part.length === 1) sorted.refused.push({ row: part[0] as CostRecord, error });
      else parts.push(...halvesOf(part, lastFirst));
    }
  }
  return sorted;
}

/** The one to try first comes last. */
function halvesOf(rows: readonly CostRecord[], lastFirst: boolean): (readonly CostRecord[])[] {
  if (rows.length < 2) return [rows];
  const middle = rows.length >> 1;
  const halves = [rows.slice(middle), rows.slice(0, middle)];
  return lastFirst ? halves.reverse() : halves;
}

/** `<root>/rejected.jsonl`: one line for each row, with the reason; for people to mend and bring in. */
export function rejectedFile(root: string, now: () => number): SetAside {
  const file = path.join(root, 'rejected.jsonl');
  return (row, reason) => appendFile(file, `${JSON.stringify({ at: now(), reason, row })}\n`, { mode: 0o600 });
}

/** All of them, in portions. Rejects as long as something is left, and may be repeated then. */
export async function deliverAll(to: Delivery, rows: readonly CostRecord[]): Promise<void> {
  let left: readonly CostRecord[] = [];
  for (let at = 0; at < rows.length; at += PORTION) {
    const portion = latestStates([...left, ...rows.slice(at, at + PORTION)]);
    left = (await to.deliver(portion)).left;
  }
  while (left.length > 0) left = (await to.deliver(left)).left;
}

const PORTION = 1000;
