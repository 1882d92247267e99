// The statement of a report: a union of rollups, where they are fresh, and of the rows themselves, where they are not.
import {
  answered,
  blocksOf,
  END_OF_TIME,
  floor,
  type Interval,
  isAdmittedWithin,
  isWithin,
  QUARTER,
  TIERS,
  without,
} from './blocks.ts';
import type { Value } from './columns.ts';
import { Conditions } from './conditions.ts';
import type { FigureFilter, GroupBy } from './ledger.ts';
import { measureNames, measures, type rolled, sums } from './rollups.ts';
import type { Store } from './store.ts';

/** A range of time, and the number it is told by in the answer. */
export type Labelled = Interval & { readonly label: number };

/** The columns to group by; users and other tags have too many values for a rollup and are read from the rows. */
const groupColumns: Readonly<Record<string, (typeof rolled)[number]>> = {
  tenant: 'tenant',
  key: 'key_name',
  model: 'model',
  provider: 'provider',
  team: 'team',
  feature: 'feature',
};

export class ReportStatement {
  readonly #conditions: Conditions;
  readonly #groups: readonly string[];
  /** Whether rollups have what is asked for. */
  readonly isRolled: boolean;

  constructor(store: Store, filter: FigureFilter, names: readonly GroupBy[]) {
    this.#conditions = new Conditions(store, filter);
    this.#groups = names.map(name => this.#group(name));
    this.isRolled = filter.user === undefined && filter.tag === undefined && names.every(name => groupColumns[name]);
  }

  #group(name: GroupBy): string {
    const column = groupColumns[name];
    if (column) return `a.${column}`;
    return name === 'user' ? this.#conditions.user() : this.#conditions.tagValue(name.slice('tag:'.length));
  }

  /** @param ranges may lie within each other; those that do not begin and end with the first and the last of all do so on a quarter of an hour */
  of(ranges: readonly Labelled[], stale: readonly Interval[][]): { readonly text: string; readonly values: readonly Value[] } {
    const parts = this.isRolled ? this.#fromBoth(ranges, stale) : ranges.map(range => this.#part(rows, range));
    const groups = ['label', ...this.#groupNames()].join(', ');
    const text = `select ${groups}, ${sums(name => name)} from (${parts.join('\nunion all ')}) parts group by ${groups}`;
    return { text, values: this.#conditions.values };
  }

  #groupNames = (): string[] => this.#groups.map((_, i) => `g${i}`);

  #fromBoth(ranges: readonly Labelled[], stale: readonly Interval[][]): string[] {
    const split = ranges.map(range => ({ label: range.label, ...blocksOf(range) }));
    const fresh = isWithin('a.admitted', without([always], stale[0]!));
    return [
      ...TIERS.flatMap((_, tier) => this.#ofTier(tier, split, stale)),
      ...(stale[0]!.length > 0 ? [this.#summedPart(rows, ranges, isAdmittedWithin(stale[0]!))] : []),
      ...split.flatMap(({ label, edges }) => edges.map(edge => this.#part(rows, { ...edge, label }, fresh))),
    ];
  }

  /** Blocks of this tier itself are found by their time; those that stand in for a stale block above, by their admission. */
  #ofTier(tier: number, split: readonly Split[], stale: readonly Interval[][]): string[] {
    const slots = split.flatMap(({ label, slots }) => slots.map(slot => ({ ...slot, label })));
    const own = slots.filter(slot => slot.tier === tier);
    const above = slots.filter(slot => slot.tier > tier);
    const standIns = answered(stale, tier, tier + 1);
    const fresh = `a.tier = ${tier} and ${isWithin('a.admitted', answered(stale, tier, tier))}`;
    const inStead = `a.tier = ${tier} and ${isWithin('a.admitted', standIns)}`;
    return [
      ...own.map(slot => this.#part(rollups, slot, fresh)),
      ...(above.length > 0 && standIns.length > 0 ? [this.#summedPart(rollups, above, inStead)] : []),
    ];
  }

  /** Of one range, its bounds in the text: the database sees how little of the table it is. */
  #part({ table, time, amounts }: Source, range: Labelled, condition = '1 = 1'): string {
    const columns = [
      `${range.label} as label`,
      ...this.#groupColumns(),
      ...measureNames.map(name => `${amounts[name]} as ${name}`),
    ];
    return `select ${columns.join(', ')} from ${table} a where ${this.#all(isWithin(time, [range]), condition)}`;
  }

  /** Of many ranges, for rows that any of them may have: summed up by quarters of an hour first, as there are few of those. */
  #summedPart({ table, time, amounts }: Source, ranges: readonly Labelled[], condition: string): string {
    const [start, end] = [Math.min(...ranges.map(({ from }) => from)), Math.max(...ranges.map(({ to }) => to))];
    const columns = [`${time} - ${time} % ${QUARTER} as quarter`, ...this.#groupColumns(), sums(name => amounts[name])];
    const groups = this.#groupNames();
    const summed = `select ${columns.join(', ')} from ${table} a where ${this.#all(isWithin(time, [{ from: start, to: end }]), condition)}
      group by ${['quarter', ...groups].join(', ')}`;
    const labels = ranges.map(({ label, from, to }) => `${label} as label, ${floor(from, QUARTER)} as lo, ${to} as hi`);
    return `select ${['s.label', ...groups, ...measureNames].join(', ')} from (select ${labels.join(' union all select ')}) s
      join (${summed}) a on a.quarter >= s.lo and a.quarter < s.hi`;
  }

  #groupColumns = (): string[] => this.#groups.map((group, i) => `${group} as g${i}`);
  #all = (...conditions: readonly string[]): string => [...conditions, ...this.#conditions.texts].join(' and ');
}

type Split = ReturnType<typeof blocksOf> & { readonly label: number };
const always: Interval = { from: 0, to: END_OF_TIME };

/** What is summed up, by which time. */
type Source = {
  readonly table: string;
  readonly time: string;
  readonly amounts: Readonly<Record<keyof typeof measures, string>>;
};
const rows: Source = { table: 'attempts', time: 'a.at', amounts: measures };
const rollups: Source = {
  table: 'rollups',
  time: 'a.bucket',
  amounts: Object.fromEntries(measureNames.map(name => [name, `a.${name}`])) as Source['amounts'],
};
