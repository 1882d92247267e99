// The row of an attempt that is over, with what it cost: written down, told to who measures, and given to who holds its reservation.
// Nothing that goes wrong here costs the client its answer, or the attempt its row: that has what was held for it, then.
import { type CostRecord, type Written, written } from '#core/accounting/cost-record.ts';
import { recoveredRow } from '#core/accounting/recovery.ts';
import { dearFallbackAlert } from '#core/admission/alerts.ts';
import { millis } from '#core/units.ts';
import type { AttemptResult } from './attempt.ts';
import { usageInBackground } from './background.ts';
import type { Ports } from './ports.ts';
import { type Begun, settledRow } from './settle.ts';
import { primaryOf, type Trip } from './trip.ts';
import { targetOf } from './upstream-request.ts';

/** An attempt that was sent. */
export type Sent = {
  readonly trip: Pick<Trip, 'call' | 'plan'>;
  readonly begun: Begun;
  /** Its row, as it was written down before. */
  readonly open: CostRecord;
  /** Where the provider has several. */
  readonly endpoint: string | undefined;
  readonly ports: Pick<Ports, 'costLog' | 'observer' | 'alerts' | 'onBug' | 'estimateTokens' | 'http' | 'monotonic' | 'now'>;
};

/** After an attempt's own limit: a drain, and the settling of its row. */
export const LEASE_GRACE_MS = 90_000;

/** At once where the provider has told of the cost; never fails. */
export function settle(sent: Sent, result: AttemptResult, gpuSeconds: number | undefined): Written | Promise<Written> {
  const row = rowOf(sent, result, gpuSeconds);
  return row instanceof Promise ? row.then(known => noted(sent, known)) : noted(sent, row);
}

/** Of an attempt that a bug of ours ended: the provider may have done, and billed, all of it. */
export const settleBroken = (sent: Sent): Written => noted(sent, brokenRow(sent));

const brokenRow = ({ open }: Sent): CostRecord => ({ ...recoveredRow(open), failure: 'internal_error' });

function rowOf(sent: Sent, result: AttemptResult, gpuSeconds: number | undefined): CostRecord | Promise<CostRecord> {
  const { begun, open, ports } = sent;
  const made = (over: AttemptResult) => settledRow(begun, open, over, gpuSeconds, ports.estimateTokens);
  const broken = (error: unknown): CostRecord => {
    ports.onBug(error, open.requestId);
    return brokenRow(sent);
  };
  try {
    const row = begun.call.envelope.inBackground ? whenOver(sent, result).then(made) : made(result);
    return row instanceof Promise ? row.catch(broken) : row;
  } catch (error) {
    return broken(error);
  }
}

function noted(sent: Sent, record: CostRecord): Written {
  const row = written(record);
  writeDown(row, sent.ports, () => warnIfDear(sent, record));
  return row;
}

/** A row that is settled. Who is told of it and fails at that keeps nobody from going on. */
export function writeDown(
  { record, json }: Written,
  { costLog, observer, onBug }: Pick<Ports, 'costLog' | 'observer' | 'onBug'>,
  warn?: () => void,
): void {
  costLog.record(record, json, false);
  try {
    observer.attempted(record);
    warn?.();
  } catch (error) {
    onBug(error, record.requestId);
  }
}

/** What an answer cost that the provider goes on with by itself is known when it is over. Off the client's path. */
async function whenOver({ trip, begun, endpoint, ports }: Sent, result: AttemptResult): Promise<AttemptResult> {
  const { upstreamId: id, streamed } = result;
  if (!begun.chat || !id || (result.usage && !streamed)) return result;
  const target = targetOf(trip.call, begun.candidate, endpoint);
  const [from, patience] = [ports.monotonic(), begun.leaseUntil - ports.now() - LEASE_GRACE_MS / 3];
  const usage = await usageInBackground(begun.chat, target, id, from + patience, ports);
  const duration = millis(result.duration + ports.monotonic() - from);
  return { ...result, usage, streamed: undefined, duration };
}

function warnIfDear({ trip: { plan }, begun, ports }: Sent, { usage, cost, fallbackPosition }: CostRecord): void {
  const primary = primaryOf(plan);
  if (fallbackPosition === 0 || !plan.route || !primary || cost === null) return;
  const alert = dearFallbackAlert({ route: plan.route, primary, used: begun.candidate, usage, cost });
  if (alert) ports.alerts.emit(alert);
}
