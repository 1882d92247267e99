// modals: can, must, should and will ask for different things, except where somebody asks how.
import type { Question } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

const openQuestions: ReadonlySet<Question> = new Set<Question>([
  'what',
  'who',
  'where',
  'when',
  'why',
  'how',
  'howto',
  'howmany',
  'howmuch',
]);

export const modals: Guard = {
  name: 'modals',
  objection({ a, b }) {
    if (a.modal === b.modal) return undefined;
    const open = [a, b].every(({ question }) => openQuestions.has(question));
    if (open && a.modal !== 'must' && b.modal !== 'must') return undefined;
    // A general truth and a possibility are one: does it carry video, can it?
    if (a.modal === undefined && b.modal !== 'must' && b.modal !== 'should') return undefined;
    if (b.modal === undefined && a.modal !== 'must' && a.modal !== 'should') return undefined;
    return differs(a.modal ?? '', b.modal ?? '');
  },
};
