// What every store of counters promises, as tests over any of them: memory and Redis run the same list. Time is the store's own: it is
// told how to wait, so that memory need not.
import { test } from 'node:test';
import { budgets } from './contract/budgets.ts';
import { callerOf, type Says, type Stage } from './contract/caller.ts';
import { ends, extensions } from './contract/ends.ts';
import { limits } from './contract/limits.ts';
import { leases, rebuilds } from './contract/rebuilds.ts';

/** @param stage a store nobody has used, for each test */
export function countersContract(name: string, stage: () => Promise<Stage>): void {
  const says: Says = (sentence, run) =>
    test(`${name}: ${sentence}`, async () => {
      const made = await stage();
      await run(callerOf(made.counters), made);
    });
  limits(says);
  budgets(says);
  ends(says);
  extensions(says);
  rebuilds(says);
  leases(says);
}
