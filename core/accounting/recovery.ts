// What becomes of the rows of a process that died: decided here, without I/O; done by dataplane/costlog/recovery.ts.
import { promptTokens } from '../chat/usage.ts';
import { type EpochMillis, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts';
import type { CostRecord, RowState } from './cost-record.ts';

const ranks: Readonly<Record<RowState, number>> = { open: 0, recovered: 1, settled: 2 };

/** Of the first attempt the request's id as it is: a text made anew for each look-up is entered into V8's table of strings each time. */
export const rowKey = ({ requestId, attempt }: Pick<CostRecord, 'requestId' | 'attempt'>): string =>
  attempt === 0 ? requestId : `${requestId}:${attempt}`;

/** One row for each attempt: its latest state, and of equal states the last. In the order in which the attempts first appear. */
export function latestStates(rows: readonly CostRecord[]): readonly CostRecord[] {
  const latest = new Map<string, CostRecord>();
  for (const row of rows) {
    const key = rowKey(row);
    const other = latest.get(key);
    if (!other || ranks[row.state] >= ranks[other.state]) latest.set(key, row);
  }
  return latest.size === rows.length ? rows : [...latest.values()];
}

/** An attempt that nobody will settle any more costs what was held for it: the provider may have done, and billed, all of it. */
export function recoveredRow(row: CostRecord): CostRecord {
  const hasPrice = row.rates !== undefined || row.reserved > 0;
  return {
    ...row,
    state: 'recovered',
    failure: 'gateway_died',
    cost: hasPrice ? row.reserved : null,
    estimated: true,
    possiblyBilled: true,
  };
}

/** Its process, if it lives, may still settle it. */
export const isHeld = (row: CostRecord, now: EpochMillis): boolean => row.state === 'open' && row.leaseUntil > now;

/** What a request took, all attempts together; one that is open takes what is held for it. */
export function costOfRequest(rows: readonly CostRecord[]): { readonly cost: NanoUsd; readonly tokens: Tokens } {
  let cost = 0;
  let used = 0;
  for (const row of rows) {
    cost += row.state === 'open' ? row.reserved : (row.cost ?? 0);
    used += promptTokens(row.usage) + row.usage.output;
  }
  return { cost: nanoUsd(cost), tokens: tokens(used) };
}
