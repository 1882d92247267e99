// Reads the request controls that all dialects share (docs/configuration.md, "Request controls") and says how to take ours out of
// the body. It runs on every request, so it costs one table look-up per field that is present and nothing for absent ones.
import { type Failure, failure, ok, type Parsed } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { type Millis, millis } from '#core/units.ts';
import type { CacheControls, Controls } from './frontend.ts';

export type ControlsRead = { readonly controls: Controls; readonly edits: ReadonlyMap<string, string | null> };

type Draft = { -readonly [Name in keyof Controls]: Controls[Name] };
/** Puts the value into the draft; yields what is wrong with the value, if anything. */
type Reader = (draft: Draft, value: unknown) => Wrong | undefined;
type Wrong = { readonly param?: string; readonly must: string };

const LIST_MAX = 100;
const NAME_MAX = 256;
const TIMEOUT_SECONDS_MAX = 86_400;

const none: Controls = Object.freeze({ metadata: Object.freeze({}), tags: Object.freeze([]), disableFallbacks: false });
const nothingToRead: Parsed<ControlsRead> = Object.freeze(ok({ controls: none, edits: new Map() }));

export function readControls(view: JsonView): Parsed<ControlsRead> {
  let read: { controls: Draft; edits: Map<string, string | null> } | undefined;
  for (const name of view.fields.keys()) {
    const reader = readers.get(name);
    if (!reader) continue;
    read ??= { controls: { ...none }, edits: new Map() };
    const value = view.get(name);
    const wrong = value === null ? undefined : reader(read.controls, value);
    if (wrong) return { ok: false, failure: refusal(name, wrong) };
    const edit = editOf(name, value);
    if (edit !== undefined) read.edits.set(name, edit);
  }
  return read ? ok(read) : nothingToRead;
}

function refusal(name: string, { param = name, must }: Wrong): Failure {
  return failure('invalid_request', { message: `${param} must be ${must}.`, param });
}

/** `user` and `metadata` are fields of the providers' own wires: they go on, without our subkey. All other controls are ours. */
function editOf(name: string, value: unknown): string | null | undefined {
  if (name === 'user') return undefined;
  if (name !== 'metadata') return null;
  const metadata = metadataForUpstream(value);
  if (metadata === value) return undefined;
  return metadata === undefined ? null : JSON.stringify(metadata);
}

/** The client's `metadata` without our subkey: the same object where that is absent, undefined where nothing else is in it. */
function metadataForUpstream(metadata: unknown): unknown {
  if (!isRecord(metadata) || !Object.hasOwn(metadata, 'tags')) return metadata;
  const { tags: _ours, ...rest } = metadata;
  return Object.keys(rest).length > 0 ? rest : undefined;
}

/** Whether a top-level field is a control of ours that no upstream may see. */
export const isOurControl = (name: string): boolean => readers.has(name) && name !== 'user' && name !== 'metadata';

/** The body as an upstream of its own dialect would take it. */
export function withoutControls(whole: JsonRecord): Record<string, unknown> {
  const fields = Object.entries(whole)
    .filter(([name]) => !isOurControl(name))
    .map(([name, value]): [string, unknown] => [name, name === 'metadata' ? metadataForUpstream(value) : value]);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/**
 * What a body says besides the fields that its readers give a neutral meaning to.
 * @param defaults what it may say that is so anyway
 */
export function otherFields(body: JsonRecord, known: ReadonlySet<string>, defaults: JsonRecord = {}): Record<string, unknown> {
  const isSaid = ([name, value]: [string, unknown]) =>
    !known.has(name) && value !== null && !(Object.hasOwn(defaults, name) && defaults[name] === value);
  return Object.fromEntries(Object.entries(withoutControls(body)).filter(isSaid));
}

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['metadata', readMetadata],
  ['user', readUser],
  ['tags', (draft, value) => readTags(draft, value, 'tags')],
  ['cache', readCache],
  ['num_retries', readNumRetries],
  ['timeout', readTimeout],
  ['fallbacks', readFallbacks],
  [
    'disable_fallbacks',
    (draft, value) =>
      readFlag(value, set => {
        draft.disableFallbacks = set;
      }),
  ],
  ['mock_testing_fallbacks', mockReader('upstream_error')],
  ['mock_testing_content_policy_fallbacks', mockReader('content_filtered')],
  ['mock_testing_context_window_fallbacks', mockReader('context_length_exceeded')],
]);

function readMetadata(draft: Draft, value: unknown): Wrong | undefined {
  if (!isRecord(value)) return { must: 'an object' };
  draft.metadata = Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  return value.tags === undefined || value.tags === null ? undefined : readTags(draft, value.tags, 'metadata.tags');
}

function readTags(draft: Draft, value: unknown, param: string): Wrong | undefined {
  if (!isNameList(value)) return { param, must: `a list of at most ${LIST_MAX} strings of 1 to ${NAME_MAX} characters` };
  draft.tags = [...draft.tags, ...value];
  return undefined;
}

function readUser(draft: Draft, value: unknown): Wrong | undefined {
  if (typeof value !== 'string') return { must: 'a string' };
  draft.user = value;
  return undefined;
}

type CacheReader = {
  readonly field: keyof CacheControls;
  readonly must: string;
  /** undefined: it is not that. */
  readonly read: (value: unknown) => CacheControls[keyof CacheControls];
};

const aFlag = { must: 'true or false', read: (value: unknown) => (typeof value === 'boolean' ? value : undefined) };
const aSpan = {
  must: 'a number of seconds, 0 or more',
  read: (value: unknown) => (isWithin(value, CACHE_SECONDS_MAX) ? millis(Math.round(value * 1000)) : undefined),
};
const aSimilarity = { must: 'a number from 0 to 1', read: (value: unknown) => (isWithin(value, 1) ? value : undefined) };
const aNamespace = {
  must: `a string of 1 to ${NAME_MAX} characters`,
  read: (value: unknown) => (typeof value === 'string' && value !== '' && value.length <= NAME_MAX ? value : undefined),
};

/** LiteLLM's names, and `similarity`. Names that are not known ask for nothing. */
const cacheReaders: ReadonlyMap<string, CacheReader> = new Map<string, CacheReader>([
  ['no-cache', { field: 'noCache', ...aFlag }],
  ['no-store', { field: 'noStore', ...aFlag }],
  ['ttl', { field: 'ttl', ...aSpan }],
  ['s-maxage', { field: 'maxAge', ...aSpan }],
  ['namespace', { field: 'namespace', ...aNamespace }],
  ['similarity', { field: 'similarity', ...aSimilarity }],
]);

const CACHE_SECONDS_MAX = 366 * 86_400;

const isWithin = (value: unknown, max: number): value is number => typeof value === 'number' && value >= 0 && value <= max;

function readCache(draft: Draft, value: unknown): Wrong | undefined {
  if (!isRecord(value)) return { must: 'an object' };
  const cache: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(value)) {
    const reader = cacheReaders.get(name);
    if (!reader || setting === null) continue;
    cache[reader.field] = reader.read(setting);
    if (cache[reader.field] === undefined) return { param: `cache.${name}`, must: reader.must };
  }
  draft.cache = cache as CacheControls;
  return undefined;
}

function readNumRetries(draft: Draft, value: unknown): Wrong | undefined {
  if (!Number.isSafeInteger(value) || (value as number) < 0) return { must: 'an integer of 0 or more' };
  draft.numRetries = value as number;
  return undefined;
}

/** LiteLLM's `timeout` counts seconds. */
function readTimeout(draft: Draft, value: unknown): Wrong | undefined {
  if (typeof value !== 'number' || !(value > 0 && value <= TIMEOUT_SECONDS_MAX)) {
    return { must: `a number of seconds above 0 and at most ${TIMEOUT_SECONDS_MAX}` };
  }
  draft.timeout = toMillis(value);
  return undefined;
}

const toMillis = (seconds: number): Millis => millis(Math.max(1, Math.round(seconds * 1000)));

function readFallbacks(draft: Draft, value: unknown): Wrong | undefined {
  if (!isNameList(value)) return { must: `a list of at most ${LIST_MAX} model names` };
  draft.fallbacks = value;
  return undefined;
}

function readFlag(value: unknown, put: (set: boolean) => void): Wrong | undefined {
  if (typeof value !== 'boolean') return { must: 'true or false' };
  put(value);
  return undefined;
}

function mockReader(mock: NonNullable<Controls['mock']>): Reader {
  return (draft, value) =>
    readFlag(value, set => {
      if (set) draft.mock = mock;
    });
}

function isNameList(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= LIST_MAX &&
    value.every(v => typeof v === 'string' && v !== '' && v.length <= NAME_MAX)
  );
}

/** Names of all fields that are read here. */
export const interpretedControls: readonly string[] = [...readers.keys()];
