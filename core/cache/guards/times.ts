// time: the same days, months, seasons and hours; this, last or next; is or was.
import { differs, type Guard, surplus } from './guard.ts';

export const times: Guard = {
  name: 'time',
  objection({ a, b }) {
    if (a.times.length > 0 || b.times.length > 0) {
      const [moreInA, moreInB] = surplus(a.times, b.times);
      const more = [...moreInA, ...moreInB];
      // The present needs no `now`.
      if (more.some(time => time !== 'now') || (more.length > 0 && (a.tense === 'past' || b.tense === 'past')))
        return differs(moreInA.join(' '), moreInB.join(' '));
    }
    if ((a.tense === 'past' && b.modal === 'will') || (b.tense === 'past' && a.modal === 'will'))
      return differs(a.modal ?? 'past', b.modal ?? 'past');
    return a.tense !== undefined && b.tense !== undefined && a.tense !== b.tense ? differs(a.tense, b.tense) : undefined;
  },
};
