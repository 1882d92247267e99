// voice: who does and who suffers. `Was A beaten by B` asks what `did B beat A` asks, not what `did A beat B` asks.

import type { Pair } from '../alignment.ts';
import { Sense } from '../english/closed-classes.ts';
import type { Reading, Word } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

export const voice: Guard = {
  name: 'voice',
  objection({ a, b, pairs }) {
    if (!a.passive && !b.passive) return undefined;
    if (a.passive && b.passive) {
      const changed = pairs.find(pair => isAgent(pair.a) !== isAgent(pair.b));
      return (
        changed &&
        differs(`${changed.a.preposition} ${changed.a.form}`.trim(), `${changed.b.preposition} ${changed.b.form}`.trim())
      );
    }
    return a.passive
      ? turned(pairs, a, b)
      : turned(
          pairs.map(({ a: x, b: y, bond }) => ({ a: y, b: x, bond })),
          b,
          a,
        );
  },
};

const isAgent = ({ marker, preposition }: Word): boolean => (marker & Sense.agent) !== 0 && preposition === 'by';

/** The agent of the passive side has to stand before the verb of the active one. */
function turned(pairs: readonly Pair[], passive: Reading, active: Reading): string | undefined {
  const agent = pairs.find(pair => isAgent(pair.a));
  if (!agent) return undefined;
  const verb = pairs.filter(pair => pair.a.at < agent.a.at && pair.a.suffered).toSorted((x, y) => y.a.at - x.a.at)[0];
  if (verb?.a.marker !== 0 || isAgent(agent.b)) return undefined;
  return agent.b.at > verb.b.at
    ? differs(`${verb.a.form} by ${agent.a.form} (${passive.question})`, `${verb.b.form} ${agent.b.form} (${active.question})`)
    : undefined;
}
