// Reads values by the schemas and words what is wrong with them, for a person who looks at a file.
import type * as z from 'zod';
import { type Kind, kinds } from './index.ts';
import { namespace, referenceGrant, resource, secret } from './manifest.ts';
import type { ProviderSpec } from './provider.ts';
import type { RouteSpec } from './route.ts';
import type { TenantKeySpec } from './tenant-key.ts';

export type Path = readonly (string | number)[];
export type Complaint = { readonly path: Path; readonly message: string };
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly complaints: readonly Complaint[] };

export type SpecOf = { LLMProvider: ProviderSpec; LLMRoute: RouteSpec; TenantKey: TenantKeySpec };

export const readSpec = <K extends Kind>(kind: K, value: unknown): Read<SpecOf[K]> =>
  read(kinds[kind].spec as unknown as z.ZodType<SpecOf[K]>, value ?? {}, ['spec']);
export const readResource = (value: unknown) => read(resource, value);
export const readSecret = (value: unknown) => read(secret, value);
export const readNamespace = (value: unknown) => read(namespace, value);
export const readReferenceGrant = (value: unknown) => read(referenceGrant, value);

function read<T>(schema: z.ZodType<T>, value: unknown, at: Path = []): Read<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, complaints: result.error.issues.flatMap(issue => complaintsOf(issue, at)) };
}

type Issue = z.core.$ZodIssue;

function complaintsOf(issue: Issue, at: Path): Complaint[] {
  const path = [...at, ...issue.path.map(part => (typeof part === 'number' ? part : String(part)))];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({ path: [...path, key], message: 'is not a known field' }));
  return [{ path, message: messageOf(issue) }];
}

function messageOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, issue.input);
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : `must be one of ${issue.values.join(', ')}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${countedIn(issue.origin)}`;
    case 'too_small':
      return `must be at least ${issue.minimum}${countedIn(issue.origin)}`;
    default:
      return issue.message;
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  null: 'empty',
};
const noun = (type: string) => NOUNS[type] ?? type;

function wrongType(expected: string, input: unknown): string {
  if (input === undefined) return 'is required';
  const actual = input === null ? 'null' : Array.isArray(input) ? 'array' : typeof input;
  const isUnquoted = expected === 'string' && (actual === 'number' || actual === 'boolean');
  return `must be ${noun(expected)}, not ${noun(actual)}${isUnquoted ? ': put it in quotes' : ''}`;
}

const countedIn = (origin: string): string => ({ string: ' characters', array: ' entries' })[origin] ?? '';
