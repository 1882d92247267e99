// Whether applying an object would change anything, decided without asking the server: a write that changes nothing still costs the
// API server a request, and an operator with 10,000 objects makes one for each at every start.

export type DiffOptions = {
  /** Top-level fields that are wholly ours (`status`, `data`): what we leave out of them has to go. Elsewhere others may have their say. */
  readonly owned: readonly string[];
};

/** Paths at which `live` is not what `wanted` says, sorted; empty: nothing to write. `metadata.resourceVersion` and the like are not compared. */
export function differences(wanted: object, live: object | undefined, { owned }: DiffOptions): string[] {
  if (live === undefined) return ['(missing)'];
  const { apiVersion: _, kind: __, ...rest } = wanted as Fields;
  const found: string[] = [];
  for (const [field, value] of Object.entries(rest))
    compare(value, valueAt(live as Fields, field), field, owned.includes(field), found);
  for (const field of owned) if (!Object.hasOwn(rest, field) && !isEmpty(valueAt(live as Fields, field))) found.push(field);
  return found.sort();
}

type Fields = Readonly<Record<string, unknown>>;

function compare(wanted: unknown, live: unknown, path: string, isOwned: boolean, found: string[]): void {
  // undefined in an object of ours is a field that JSON leaves out.
  if (wanted === undefined) {
    if (isOwned && live !== undefined) found.push(path);
  } else if (isFields(wanted) && isFields(live)) {
    for (const field of Object.keys(wanted)) compare(wanted[field], valueAt(live, field), `${path}.${field}`, isOwned, found);
    if (isOwned) for (const field of Object.keys(live)) if (!Object.hasOwn(wanted, field)) found.push(`${path}.${field}`);
  } else if (Array.isArray(wanted) && Array.isArray(live) && wanted.length === live.length) {
    const others = inOrderOf(wanted, live);
    for (const [at, item] of wanted.entries()) compare(item, others[at], `${path}[${at}]`, true, found);
  } else if (wanted !== live && !(isEmpty(wanted) && isEmpty(live))) {
    found.push(path);
  }
}

/** An object's own: a label may be called `valueOf`, which every object has. */
const valueAt = (fields: Fields, field: string): unknown => (Object.hasOwn(fields, field) ? fields[field] : undefined);

/** Conditions are a map by `type`, which the server may keep in another order. */
function inOrderOf(wanted: readonly unknown[], live: readonly unknown[]): readonly unknown[] {
  const typeOf = (item: unknown): unknown => (isFields(item) ? item.type : undefined);
  if (wanted.some(item => typeOf(item) === undefined)) return live;
  return wanted.map(item => live.find(other => typeOf(other) === typeOf(item)));
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The server leaves out what is empty. */
const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.length === 0) ||
  (isFields(value) && Object.keys(value).length === 0);
