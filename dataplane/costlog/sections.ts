// Days of a time zone as sums and differences of sections that rollups answer cheaply. A day of Berlin is a day of UTC, without the two
// hours at its end, and with those of the day before: one large block and a few small ones, each read once for the two days it is between.
import { floor, type Interval, QUARTER, TIERS } from './blocks.ts';

export type Day = Interval & { readonly day: string };
/** Whether a section adds to a day or is taken off it. */
export type Part = { readonly day: string; readonly sign: 1n | -1n };
export type Section = Interval & { readonly parts: readonly Part[] };

const DAY = TIERS.at(-1)!;

export const alone = ({ from, to, day }: Day): Section => ({ from, to, parts: [{ day, sign: 1n }] });

/** @param days one after the other, without a gap */
export function sectionsOf(days: readonly Day[]): readonly Section[] {
  const whole = { from: days[0]?.from ?? 0, to: days.at(-1)?.to ?? 0 };
  const sections = days.flatMap(day => (isCheaperByMidnights(day, whole) ? byMidnights(day) : [alone(day)]));
  const same = Map.groupBy(sections, ({ from, to }) => `${from} ${to}`);
  return [...same.values()].map(some => ({ ...some[0]!, parts: some.flatMap(({ parts }) => parts) }));
}

const nearestMidnight = (time: number): number => floor(time + DAY / 2, DAY);

/** Not the hours of a day that is asked for in part, nor days that are those of UTC; and nothing that lies beyond what is asked for. */
function isCheaperByMidnights({ from, to }: Day, whole: Interval): boolean {
  const [start, end] = [nearestMidnight(from), nearestMidnight(to)];
  return (
    end - start === DAY &&
    (start !== from || end !== to) &&
    start >= whole.from &&
    end <= whole.to &&
    from % QUARTER === 0 &&
    to % QUARTER === 0
  );
}

function byMidnights({ from, to, day }: Day): Section[] {
  const core = { from: nearestMidnight(from), to: nearestMidnight(to) };
  return [alone({ ...core, day }), ...border(core.from, from, day, -1n), ...border(core.to, to, day, 1n)];
}

/** What lies between midnight and the border of a day; `sign` is its own where the border is the later one. */
function border(midnight: number, time: number, day: string, sign: Part['sign']): Section[] {
  if (midnight === time) return [];
  return midnight < time
    ? [{ from: midnight, to: time, parts: [{ day, sign }] }]
    : [{ from: time, to: midnight, parts: [{ day, sign: sign === 1n ? -1n : 1n }] }];
}
