// Reads plain data that another version of this program may have written: what is known is taken, field by field, unknown fields stay
// behind, and what cannot be understood is a complaint. No schema library: data planes do this for ten thousand keys beside requests.

/** Thrown by readers and caught by `read`, so that a reader of fields stays a plain expression. */
class Unreadable extends Error {}

/** @throws Unreadable, which `read` turns into a value */
export type Reader<T> = (value: unknown, path: string) => T;

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly complaint: string };

export function read<T>(reader: Reader<T>, value: unknown): Read<T> {
  try {
    return { ok: true, value: reader(value, '') };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, complaint: error.message };
    throw error;
  }
}

function wrong(path: string, must: string): never {
  throw new Unreadable(`${path === '' ? 'it' : path} must be ${must}`);
}

// ---------------------------------------------------------------- scalars

export const text: Reader<string> = (value, path) => (typeof value === 'string' ? value : wrong(path, 'a string'));
export const flag: Reader<boolean> = (value, path) => (typeof value === 'boolean' ? value : wrong(path, 'true or false'));
export const digest: Reader<string> = (value, path) =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : wrong(path, '64 lower-case hex digits');
export const anything: Reader<unknown> = value => value;

/** A finite number of whichever unit: `never` fits them all. */
export const number: Reader<never> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? (value as never) : wrong(path, 'a number');

export function oneOf<const T extends string>(...known: readonly T[]): Reader<T> {
  const set = new Set<unknown>(known);
  return (value, path) => (set.has(value) ? (value as T) : wrong(path, `one of ${known.join(', ')}`));
}

// ---------------------------------------------------------------- lists and maps

export const list =
  <T>(item: Reader<T>): Reader<readonly T[]> =>
  (value, path) =>
    Array.isArray(value) ? value.map((each, index) => item(each, `${path}[${index}]`)) : wrong(path, 'a list');

/** Where passing over an entry that is not known narrows nothing and widens nothing. */
export function knownOf<const T extends string>(...known: readonly T[]): Reader<readonly T[]> {
  const set = new Set<unknown>(known);
  return (value, path) => (Array.isArray(value) ? value.filter((each): each is T => set.has(each)) : wrong(path, 'a list'));
}

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown, path: string): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : wrong(path, 'a mapping');

/** `Object.fromEntries` defines, so that no name reaches a prototype. */
export const mapOf =
  <T>(item: Reader<T>): Reader<Readonly<Record<string, T>>> =>
  (value, path) =>
    Object.fromEntries(Object.entries(fieldsOf(value, path)).map(([name, each]) => [name, item(each, `${path}.${name}`)]));

// ---------------------------------------------------------------- objects

type Field<T> = { readonly reader: Reader<T>; readonly absent: 'wrong' | 'absent' | { readonly means: T } };

/** `absent` fits optional fields alone, and `required` the others alone: the type of the object says which. */
type FieldOf<T, K extends keyof T> =
  Pick<T, K> extends Required<Pick<T, K>>
    ? Field<T[K]> & { readonly absent: 'wrong' | { readonly means: T[K] } }
    : Field<NonNullable<T[K]>> & { readonly absent: 'absent' };

export type FieldsOf<T> = { readonly [K in keyof T]-?: FieldOf<T, K> };

export const required = <T>(reader: Reader<T>) => ({ reader, absent: 'wrong' }) as const;
export const optional = <T>(reader: Reader<T>) => ({ reader, absent: 'absent' }) as const;
/** A field that the previous version does not write: what its absence means. */
export const since = <T>(reader: Reader<T>, means: T) => ({ reader, absent: { means } }) as const;

/** Takes the fields it knows and no other. A field that is null counts as absent. */
export function object<T>(fields: FieldsOf<T>): Reader<T> {
  const all = Object.entries(fields) as unknown as readonly (readonly [string, Field<unknown>])[];
  return (value, path) => {
    const from = fieldsOf(value, path);
    const to: Record<string, unknown> = {};
    for (const [name, { reader, absent }] of all) {
      const found = Object.hasOwn(from, name) ? from[name] : undefined;
      const at = path === '' ? name : `${path}.${name}`;
      if (found !== undefined && found !== null) to[name] = reader(found, at);
      else if (absent === 'wrong') wrong(at, 'there');
      else if (absent !== 'absent') to[name] = absent.means;
    }
    return to as T;
  };
}

/** Told apart by a field; each case has it among its fields. */
export function union<T>(by: string, cases: Readonly<Record<string, Reader<T>>>): Reader<T> {
  return (value, path) => {
    const name = fieldsOf(value, path)[by];
    if (typeof name !== 'string' || !Object.hasOwn(cases, name)) return wrong(`${path}.${by}`, `one of ${Object.keys(cases)}`);
    return cases[name]!(value, path);
  };
}

/** The first that can read it. */
export const either =
  <A, B>(first: Reader<A>, second: Reader<B>): Reader<A | B> =>
  (value, path) => {
    const tried = read((each: unknown) => first(each, path), value);
    return tried.ok ? tried.value : second(value, path);
  };
