// The conditions of a filter as SQL, on a row `a` of the table `attempts` or, without users and tags, of `rollups`.
import { cleanText } from './clean.ts';
import type { Value } from './columns.ts';
import type { FigureFilter } from './ledger.ts';
import type { Store } from './store.ts';

export class Conditions {
  readonly values: Value[] = [];
  readonly texts: string[] = [];
  readonly #store: Store;

  constructor(store: Store, filter: FigureFilter) {
    this.#store = store;
    const { tenant, keyName, keyId, team, user, tag } = filter;
    for (const [column, value] of Object.entries({ tenant, key_name: keyName, key_id: keyId, team }))
      if (value !== undefined) this.texts.push(`a.${column} = ${this.parameter(cleanText(value))}`);
    if (user !== undefined) this.texts.push(`${this.user()} = ${this.parameter(cleanText(user))}`);
    if (tag !== undefined) this.#tag(tag);
  }

  parameter(value: Value): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  /** The client's own name for its end user, else the tag of that name. */
  user = (): string => `coalesce(a.user_id, ${this.tagValue('user')})`;

  tagValue = (name: string): string => this.#store.tagValue(`cast(${this.parameter(cleanText(name))} as text)`);

  /** `name=value`, or `name` whatever its value. */
  #tag(tag: string): void {
    const at = tag.indexOf('=');
    const value = this.tagValue(at < 0 ? tag : tag.slice(0, at));
    this.texts.push(at < 0 ? `${value} is not null` : `${value} = ${this.parameter(cleanText(tag.slice(at + 1)))}`);
  }
}
