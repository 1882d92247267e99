// Which rollups answer a report. Rows belong to a block of their admission, the time in their request id, and that block is what a
// write marks as stale and `maintain` sums up again. Pure: from the marks and the ranges asked for to the pieces to be read.

export const QUARTER = 15 * 60_000;
/** Widths of the blocks of each tier, in milliseconds; each a multiple of the one before. The borders of days fall on quarters of an hour in every zone of today. */
export const TIERS = [QUARTER, 3 * 3_600_000, 86_400_000] as const;

/** From `from` up to, and without, `to`. */
export type Interval = { readonly from: number; readonly to: number };
export type Mark = { readonly tier: number; readonly admitted: number };
export type Slot = Interval & { readonly tier: number };

/** Beyond what fits into the 48 bits of a UUIDv7. */
export const END_OF_TIME = 2 ** 48;
/** A statement lists them all. Where there are more, those next to each other are joined: more rows are read, the sums are the same. */
const MAX_INTERVALS = 48;

/** For each tier, the admission times whose blocks are stale: every block with a mark of its own or of a smaller block within it. */
export function staleBlocks(marks: readonly Mark[]): Interval[][] {
  const stale: Interval[][] = [];
  for (const [tier, width] of TIERS.entries()) {
    const marked = marks.filter(mark => mark.tier === tier).map(({ admitted }) => ({ from: admitted, to: admitted + width }));
    stale.push(fewIntervals([...marked, ...(stale[tier - 1] ?? [])].map(aligned(width)), width));
  }
  return stale;
}

const aligned =
  (width: number) =>
  ({ from, to }: Interval): Interval => ({ from: floor(from, width), to: ceil(to, width) });

function fewIntervals(intervals: readonly Interval[], width: number): Interval[] {
  let few = joined(intervals, 0);
  for (let gap = width; few.length > MAX_INTERVALS; gap *= 2) few = joined(few, gap);
  return few;
}

/** Sorted, and without a gap of `gap` or less between two of them. */
export function joined(intervals: readonly Interval[], gap: number): Interval[] {
  const result: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last && next.from <= last.to + gap) result[result.length - 1] = { from: last.from, to: Math.max(last.to, next.to) };
    else result.push(next);
  }
  return result;
}

/** What of `whole` is in none of `holes`, which are sorted and apart. */
export function without(whole: readonly Interval[], holes: readonly Interval[]): Interval[] {
  return whole.flatMap(({ from, to }) => {
    const rest: Interval[] = [];
    let start = from;
    for (const hole of holes) {
      if (hole.to <= start || hole.from >= to) continue;
      if (hole.from > start) rest.push({ from: start, to: hole.from });
      start = hole.to;
    }
    return start < to ? [...rest, { from: start, to }] : rest;
  });
}

/** What of `whole` is in one of `parts`, which are sorted and apart. */
export const intersection = (whole: readonly Interval[], parts: readonly Interval[]): Interval[] =>
  without(whole, without([{ from: 0, to: END_OF_TIME }], parts));

/** A range as blocks, the largest first choice, and the edges that are no whole block of any tier. */
export function blocksOf(
  range: Interval,
  tier = TIERS.length - 1,
): { readonly slots: readonly Slot[]; readonly edges: readonly Interval[] } {
  if (range.from >= range.to) return { slots: [], edges: [] };
  const width = TIERS[tier];
  if (width === undefined) return { slots: [], edges: [range] };
  const [from, to] = [ceil(range.from, width), floor(range.to, width)];
  if (from >= to) return blocksOf(range, tier - 1);
  const [before, after] = [blocksOf({ from: range.from, to: from }, tier - 1), blocksOf({ from: to, to: range.to }, tier - 1)];
  return { slots: [...before.slots, { tier, from, to }, ...after.slots], edges: [...before.edges, ...after.edges] };
}

/** For blocks of tier `wanted`, which admission times tier `tier` answers for: its own clean blocks, below it only what is stale above. */
export const answered = (stale: readonly (readonly Interval[])[], tier: number, wanted: number): Interval[] =>
  without(tier === wanted ? [{ from: 0, to: END_OF_TIME }] : (stale[tier + 1] ?? []), stale[tier]!);

export const floor = (time: number, width: number): number => Math.floor(time / width) * width;
const ceil = (time: number, width: number): number => Math.ceil(time / width) * width;

/** The first request id of a moment: every id of that millisecond or later is not below it. */
export function firstIdAt(time: number): string {
  const hex = Math.min(Math.max(0, Math.trunc(time)), END_OF_TIME - 1)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** SQL: a time is within one of these. Numbers of our own making, so they may stand in the text. */
export const isWithin = (column: string, intervals: readonly Interval[]): string =>
  `(${intervals.map(({ from, to }) => `${column} >= ${Math.trunc(from)} and ${column} < ${Math.trunc(to)}`).join(' or ') || '1 = 0'})`;

/** SQL: a row `a` was admitted within one of these; by the primary key. */
export const isAdmittedWithin = (intervals: readonly Interval[]): string =>
  `(${intervals.map(({ from, to }) => `a.request_id >= '${firstIdAt(from)}' and a.request_id < '${firstIdAt(to)}'`).join(' or ')})`;
