// What happened to an object, for people who look at its events: told when a condition turns, and only then. That all went well at once
// is no news: the conditions say so, and an event for each of 10,000 new keys would be a second write for each.
import type { ConditionType } from '../resources/common.ts';
import type { StatusCondition } from './conditions.ts';

export type News = {
  readonly isWarning: boolean;
  /** In CamelCase; that of the condition, or its type when it is true again. */
  readonly reason: string;
  /** What was tried. */
  readonly action: string;
  readonly note: string;
};

type Conditions = readonly Pick<StatusCondition, 'type' | 'status' | 'reason' | 'message'>[];
type Words = { readonly action: string; readonly again: string };

const words: Readonly<Record<ConditionType, Words>> = {
  Accepted: { action: 'Compile', again: 'it is valid' },
  ResolvedRefs: { action: 'Resolve', again: 'what it names is there' },
  Programmed: { action: 'Program', again: 'every ready data-plane pod serves it' },
  Ready: { action: 'Serve', again: 'it can serve requests' },
};

/** They pass, or are about everything at once. */
const QUIET: ReadonlySet<string> = new Set(['Pending', 'Propagating', 'NoDataPlane']);
/** Somebody wanted it so. */
const WANTED: ReadonlySet<string> = new Set(['Suspended', 'Expired']);

export function newsOf(before: Conditions, now: Conditions): readonly News[] {
  return (Object.keys(words) as ConditionType[]).flatMap(type => {
    const [was, is] = [ofType(before, type), ofType(now, type)];
    if (!is || (was?.status === is.status && was.reason === is.reason)) return [];
    const { action, again } = words[type];
    if (is.status === 'True') return isRecovery(type, before) ? [{ isWarning: false, reason: type, action, note: again }] : [];
    if (is.status !== 'False' || QUIET.has(is.reason) || isEcho(type, now)) return [];
    return [{ isWarning: !WANTED.has(is.reason), reason: is.reason, action, note: is.message || is.reason }];
  });
}

const ofType = (conditions: Conditions, type: ConditionType) => conditions.find(condition => condition.type === type);

/** Of an object that was left out, that it is served is news; that it is ready too goes without saying. */
function isRecovery(type: ConditionType, before: Conditions): boolean {
  const was = ofType(before, type);
  return was?.status === 'False' && !QUIET.has(was.reason) && !(type === 'Ready' && isLeftOut(before));
}

/** What keeps an object out is told; that it is then not served either, and not ready, is not. */
const isEcho = (type: ConditionType, now: Conditions): boolean =>
  type === 'Ready' ? isLeftOut(now) : type === 'Programmed' && isKeptOut(now);

const isLeftOut = (conditions: Conditions): boolean =>
  isFalse(conditions, 'Programmed') && (isKeptOut(conditions) || ofType(conditions, 'Programmed')?.reason === 'ConfigTooLarge');

const isKeptOut = (conditions: Conditions): boolean => isFalse(conditions, 'Accepted') || isFalse(conditions, 'ResolvedRefs');

const isFalse = (conditions: Conditions, type: ConditionType): boolean => ofType(conditions, type)?.status === 'False';
