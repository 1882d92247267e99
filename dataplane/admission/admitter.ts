// Limits and budgets for the loop, whether or not the counters can be reached. Away, slow or without their sums, the fail mode of
// the key decides (LocalShare, Allow, Deny); whatever is settled meanwhile waits until the counters have taken it.
import { setTimeout } from 'node:timers/promises';
import type { Admission, Demand, Settled, Settlement } from '#core/admission/demand.ts';
import { uuidTime } from '#core/units.ts';
import { type Counters, CountersAway, type RowCopy } from '../counters/counters.ts';
import type { Admitter, Claimant, FailMode, Reserved } from './admission.ts';
import { CarryOver } from './carry-over.ts';
import { LocalShare, type LocalShareParts } from './local-share.ts';
import type { Rebuild } from './rebuild.ts';
import { SettleQueue, TOGETHER_MS } from './settle-queue.ts';

export type AdmitterParts = LocalShareParts & {
  readonly counters: Counters;
  readonly rebuild: Rebuild;
  /** How long a request may wait for sums that are not known. */
  readonly patience: Patience;
  /** Whether the counters keep copies of rows. */
  readonly keepsCopies: boolean;
  readonly onSettled: (settlement: Settlement, settled: Settled, key: Claimant) => void;
  /** A budget refused a request. */
  readonly onExhausted: (demand: Demand, answer: Extract<Admission, { kind: 'exhausted' }>, key: Claimant) => void;
  /** A request was decided by a fail mode. */
  readonly onFailMode: (mode: FailMode, passed: boolean) => void;
};

/** In milliseconds. */
export type Patience = {
  /** Sums that this process had heard of and that got lost: the fail mode has something to go by. */
  readonly lost: number;
  /** Sums of a new key, or after a start: there is nothing to go by, and the wait is short where the stores are well. */
  readonly unheard: number;
};

/** Where sums may not be rebuilt yet, or not by this process, they are asked for again. */
const ASK_AGAIN_MS = 50;

export function admitter(parts: AdmitterParts): Admitter {
  const { counters, rebuild, patience, keepsCopies: copied, onFailMode } = parts;
  const local = new LocalShare(parts);
  const queue = new SettleQueue({ ...parts, onDrained: () => local.reset() });
  const carryOver = new CarryOver(counters);

  const ask = async (demand: Demand, key: Claimant, row: RowCopy): Promise<Admission | undefined | 'unanswered'> => {
    const isLost = local.remainder(demand) !== undefined;
    const deadline = parts.now() + (isLost ? patience.lost : patience.unheard);
    for (;;) {
      const answer = await counters.reserve(demand, row).catch(unanswered);
      if (answer === undefined || answer === 'unanswered' || answer.kind !== 'unknown') return answer;
      const left = deadline - parts.now();
      if (left <= 0) return undefined;
      if (await rebuild(demand.tenant, accountsOf(demand, key), left)) continue;
      if (isLost) return undefined;
      await setTimeout(Math.max(0, Math.min(ASK_AGAIN_MS, deadline - parts.now())));
    }
  };
  const byFailMode = async (demand: Demand, key: Claimant): Promise<Reserved> => {
    const failMode = key.entry.onStoreFailure;
    const passed = failMode === 'Allow' || (failMode === 'LocalShare' && (await local.reserve(demand, accountsOf(demand, key))));
    onFailMode(failMode, passed);
    if (!passed) return { kind: 'unavailable', failMode };
    carryOver.add(demand);
    return { kind: 'granted', failMode, copied: false, levels: [], remaining: [] };
  };

  const reserve = async (demand: Demand, key: Claimant, row: RowCopy): Promise<Reserved> => {
    const answer = await ask(demand, key, row);
    if (answer === undefined || answer === 'unanswered' || answer.kind === 'unknown') {
      const decided = await byFailMode(demand, key);
      // The counters may hold what this request is refused for, and a copy of its row, from which a dead process would be concluded.
      if (decided.kind === 'unavailable' && answer === 'unanswered') queue.release(demand, key, row);
      return decided;
    }
    carryOver.now();
    if (answer.kind !== 'limited') local.learn(demand, answer.levels);
    return { ...answer, failMode: undefined, copied };
  };

  return {
    reserve: (demand, key, row) => (!copied && asksNothing(demand) ? UNASKED : reserve(demand, key, row)),
    async extend(extension, key, rows) {
      if (!copied && asksNothing(extension)) return { kind: 'granted', copied, failMode: undefined };
      const answer = await counters.extend(extension, rows).catch(() => undefined);
      if (answer?.kind === 'granted') return { kind: 'granted', copied, failMode: undefined };
      if (answer && answer.kind !== 'lost') return answer;
      const failMode = key.entry.onStoreFailure;
      const passed =
        failMode === 'Allow' || (failMode === 'LocalShare' && (await local.extend(extension, accountsOf(extension, key))));
      onFailMode(failMode, passed);
      return passed ? { kind: 'granted', copied: false, failMode } : { kind: 'unavailable', failMode };
    },
    settle(settlement, key, rows) {
      if (!copied && asksNothing(settlement)) return;
      local.settle(settlement);
      carryOver.ended(settlement.id);
      queue.add(settlement, key, rows);
    },
    async endingsSettled() {
      await queue.flush();
      if (parts.readyPods() > 1) await setTimeout(2 * TOGETHER_MS);
    },
    tellExhausted: parts.onExhausted,
    forget: (tenant, rows) => void counters.forget(tenant, rows).catch(() => {}),
    remainder: demand => local.remainder(demand),
    waitingNow: () => queue.ids(),
    forgetWaiting: ids => queue.forget(ids),
    waiting: () => queue.size,
    close: () => queue.close(),
  };
}

const UNASKED: Reserved = { kind: 'granted', failMode: undefined, copied: false, levels: [], remaining: [] };

/** Where no copy of its row is to be kept either, the counters need not hear of it. */
const asksNothing = ({ limits, budgets }: Pick<Demand, 'limits' | 'budgets'>): boolean =>
  limits.length === 0 && budgets.length === 0;

/** Whether a call that failed may have been made all the same. */
const unanswered = (error: unknown): 'unanswered' | undefined =>
  error instanceof CountersAway && !error.wasAsked ? undefined : 'unanswered';

const accountsOf = ({ id }: Pick<Demand, 'id'>, key: Claimant) => key.demands.accounts(uuidTime(id));
