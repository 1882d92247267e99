// A Compose file as Compose reads it, as far as ours goes: variables filled in, services with their commands, environment, files and ports.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

export type Service = {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  /** `ADDRESS:PORT:PORT` */
  readonly ports?: readonly string[];
  /** `SOURCE:TARGET[:ro]`; a source that begins with `.` or `/` is a path, any other a volume. */
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: unknown;
};

export type ComposeFile = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

type Variables = Readonly<Record<string, string | undefined>>;

/** @throws what Compose says where a variable is required and missing */
export function readCompose(file: string, variables: Variables): ComposeFile {
  return filled(parse(readFileSync(file, 'utf8')), variables) as ComposeFile;
}

function filled(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return interpolated(value, variables);
  if (Array.isArray(value)) return value.map(item => filled(item, variables));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, variables)]));
}

/** `${A}`, `${A:-otherwise}`, `${A:+instead}`, `${A:?complaint}` (docs.docker.com/reference/compose-file/interpolation). */
function interpolated(text: string, variables: Variables): string {
  return text.replaceAll(/\$\{(\w+)(?::([-+?])([^}]*))?\}/g, (_, name: string, operator?: string, word = '') => {
    const value = variables[name] ?? '';
    if (operator === '+') return value === '' ? '' : word;
    if (operator === '?' && value === '') throw new Error(`required variable ${name} is missing a value: ${word}`);
    return value === '' && operator === '-' ? word : value;
  });
}

/** The paths that a service has of this machine, by where they are in its container. */
export function filesOf({ volumes = [] }: Service, composeFile: string): Readonly<Record<string, string>> {
  const mounted = volumes.map(volume => volume.split(':')).filter(([source]) => /^[./]/.test(source!));
  return Object.fromEntries(mounted.map(([source, target]) => [target!, path.resolve(path.dirname(composeFile), source!)]));
}
