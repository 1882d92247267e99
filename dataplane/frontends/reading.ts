// Reads untrusted JSON piece by piece. The first thing that is wrong is remembered and reading goes on with nothing in its place:
// the caller asks once, at the end, instead of after each field.
import { type Failure, failure } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';

export type Faults = { first?: Failure };

export function invalid(faults: Faults, param: string, must: string): undefined {
  faults.first ??= failure('invalid_request', { message: `${param} must be ${must}.`, param });
}

export function unsupported(faults: Faults, param: string, what: string): undefined {
  faults.first ??= failure('unsupported_parameter', {
    message: `${param}: ${what} cannot be said in another dialect.`,
    param,
  });
}

/** A kind of something that may well be right at another target. Only so much of it is told as a kind's name may have. */
export function unsupportedKind(faults: Faults, param: string, what: string, kind: unknown): undefined {
  if (typeof kind !== 'string') return invalid(faults, param, aName.must);
  return unsupported(faults, param, `${what} ${JSON.stringify(kind.slice(0, 64))}`);
}

const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;

type Rule<T> = { readonly holds: (value: unknown) => value is T; readonly must: string };

const rule = <T>(must: string, holds: (value: unknown) => boolean): Rule<T> => ({ must, holds: holds as Rule<T>['holds'] });

export const aString = rule<string>('a string', value => typeof value === 'string');
export const aName = rule<string>('a string that is not empty', value => typeof value === 'string' && value !== '');
export const aNumber = rule<number>('a number', value => typeof value === 'number');
export const aBoolean = rule<boolean>('true or false', value => typeof value === 'boolean');
export const anObject = rule<JsonRecord>('an object', isRecord);
export const aList = rule<readonly unknown[]>('a list', Array.isArray);
export const integerFrom = (min: number, max = Number.MAX_SAFE_INTEGER): Rule<number> =>
  rule(
    `an integer from ${min} to ${max}`,
    value => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
export const oneOf = <T extends string>(...names: readonly T[]): Rule<T> =>
  rule(`one of ${names.join(', ')}`, value => names.includes(value as T));

/** A value that may be absent or null. */
export function optional<T>(faults: Faults, value: unknown, param: string, { holds, must }: Rule<T>): T | undefined {
  if (isAbsent(value)) return undefined;
  return holds(value) ? value : invalid(faults, param, must);
}

/** A value that must be there; the fallback stands in for it once the request has failed. */
export function required<T>(faults: Faults, value: unknown, param: string, { holds, must }: Rule<T>, fallback: T): T {
  if (holds(value)) return value;
  invalid(faults, param, must);
  return fallback;
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without its undefined fields. */
export function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
