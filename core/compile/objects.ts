// First step of compile: values become objects of known kinds. What cannot is left out, with a verdict that says why.
import { API_VERSION, KINDS, type Kind } from '../resources/index.ts';
import { type Complaint, type Path, readNamespace, readResource, readSecret, readSpec, type SpecOf } from '../resources/read.ts';
import { type EpochMillis, epochMillis } from '../units.ts';
import { notInForce } from './not-in-force.ts';
import { Draft, type Source } from './verdict.ts';

export type SourceObject = { readonly value: unknown; readonly source?: Source | undefined };

/** One sound object of one of our kinds. */
export type Resource<K extends Kind = Kind> = {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt?: EpochMillis | undefined;
  readonly generation?: number | undefined;
  readonly spec: SpecOf[K];
  readonly draft: Draft;
};

/** What a Secret says for a key: its value, or why there is none. */
export type SecretEntry = { readonly value: string } | { readonly missing: string };

export type Objects = {
  readonly providers: readonly Resource<'LLMProvider'>[];
  readonly routes: readonly Resource<'LLMRoute'>[];
  readonly keys: readonly Resource<'TenantKey'>[];
  /** By `namespace/name`. */
  readonly secrets: ReadonlyMap<string, ReadonlyMap<string, SecretEntry>>;
  /** Labels by name. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Of everything that deserves one, in the order of the input. */
  readonly drafts: readonly Draft[];
};

export type Environment = Readonly<Record<string, string | undefined>>;

export function objectsOf(input: readonly SourceObject[], environment: Environment): Objects {
  const found: Found = {
    LLMProvider: [],
    LLMRoute: [],
    TenantKey: [],
    secrets: new Map(),
    namespaces: new Map(),
    drafts: [],
    places: new Map(),
    environment,
  };
  for (const object of input) sortIn(object, found);
  return {
    providers: found.LLMProvider,
    routes: found.LLMRoute,
    keys: found.TenantKey,
    secrets: found.secrets,
    namespaces: found.namespaces,
    drafts: found.drafts,
  };
}

type Found = {
  readonly LLMProvider: Resource<'LLMProvider'>[];
  readonly LLMRoute: Resource<'LLMRoute'>[];
  readonly TenantKey: Resource<'TenantKey'>[];
  readonly secrets: Map<string, ReadonlyMap<string, SecretEntry>>;
  readonly namespaces: Map<string, Readonly<Record<string, string>>>;
  readonly drafts: Draft[];
  /** Where each `kind namespace/name` was first seen. */
  readonly places: Map<string, string>;
  readonly environment: Environment;
};

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

function sortIn({ value, source }: SourceObject, found: Found): void {
  const draft = new Draft(identityOf(value, source));
  if (!isFields(value))
    return reject(draft, found, [{ path: [], message: 'is not an object: a manifest is a mapping with apiVersion and kind' }]);
  const { kind } = draft.identity;
  const apiVersion = typeof value['apiVersion'] === 'string' ? value['apiVersion'] : '';
  if (apiVersion === 'v1' && kind === 'Secret') return sortInSecret(value, draft, found);
  if (apiVersion === 'v1' && kind === 'Namespace') return sortInNamespace(value, draft, found);
  if (apiVersion === API_VERSION && isKind(kind)) return sortInResource(kind, value, draft, found);
  if (apiVersion === '' || kind === '' || isOurs(apiVersion, kind)) {
    const known = KINDS.join(', ');
    return reject(draft, found, [{ path: ['apiVersion'], message: `must be ${API_VERSION} with one of the kinds ${known}` }]);
  }
  draft.remark(['kind'], `${apiVersion} ${kind} is not a kind that Tollgate reads: passed over`);
  found.drafts.push(draft);
}

const isKind = (kind: string): kind is Kind => (KINDS as readonly string[]).includes(kind);
const isOurs = (apiVersion: string, kind: string) => apiVersion.startsWith('tollgate.dev') || isKind(kind);

function identityOf(value: unknown, source: Source | undefined) {
  const fields = isFields(value) ? value : {};
  const metadata = isFields(fields['metadata']) ? fields['metadata'] : {};
  const word = (entry: unknown) => (typeof entry === 'string' ? entry.slice(0, 253) : '');
  return {
    kind: word(fields['kind']),
    namespace: word(metadata['namespace']) || 'default',
    name: word(metadata['name']),
    source,
  };
}

function reject(draft: Draft, found: Found, complaints: readonly Complaint[]): void {
  for (const { path, message } of complaints.slice(0, MAX_COMPLAINTS)) draft.fail('Accepted', 'Invalid', path, message);
  found.drafts.push(draft);
}

/** More than anyone reads at once; a hostile file could have millions. */
const MAX_COMPLAINTS = 50;

function sortInResource<K extends Kind>(kind: K, value: Fields, draft: Draft, found: Found): void {
  const outer = readResource(value);
  const spec = readSpec(kind, value['spec']);
  draft.notInForce = notInForce(kind, value['spec']);
  const complaints = [...(outer.ok ? [] : outer.complaints), ...(spec.ok ? [] : spec.complaints)];
  if (!outer.ok || !spec.ok) return reject(draft, found, complaints);
  if (isTaken(draft, found)) return;
  const { metadata } = outer.value;
  const createdAt = metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) : Number.NaN;
  found.drafts.push(draft);
  (found[kind] as Resource<K>[]).push({
    id: draft.id,
    namespace: metadata.namespace,
    name: metadata.name,
    labels: metadata.labels,
    ...(!Number.isNaN(createdAt) && { createdAt: epochMillis(createdAt) }),
    generation: metadata.generation,
    spec: spec.value,
    draft,
  });
}

/** Two manifests of one name: the first stays, as nobody can say which of them is meant. */
function isTaken(draft: Draft, found: Found): boolean {
  const { kind, source } = draft.identity;
  const key = `${kind} ${draft.id}`;
  const first = found.places.get(key);
  if (first === undefined) {
    found.places.set(key, source ? ` at ${source.file}:${source.line}` : '');
    return false;
  }
  draft.fail('Accepted', 'Conflicted', ['metadata', 'name'], `there is another ${kind} of this name${first}`);
  found.drafts.push(draft);
  return true;
}

function sortInNamespace(value: Fields, draft: Draft, found: Found): void {
  const read = readNamespace(value);
  if (!read.ok) return reject(draft, found, read.complaints);
  found.namespaces.set(read.value.metadata.name, read.value.metadata.labels);
}

function sortInSecret(value: Fields, draft: Draft, found: Found): void {
  const read = readSecret(value);
  if (!read.ok) return reject(draft, found, read.complaints);
  if (isTaken(draft, found)) return;
  const entries = new Map<string, SecretEntry>();
  for (const [key, encoded] of Object.entries(read.value.data ?? {})) {
    const decoded = fromBase64(encoded);
    if (decoded === undefined) draft.fail('Accepted', 'Invalid', ['data', key], 'is not base64 of a text');
    else entries.set(key, { value: decoded.trim() });
  }
  for (const [key, written] of Object.entries(read.value.stringData ?? {}))
    entries.set(key, expanded(written, found.environment));
  found.secrets.set(draft.id, entries);
  if (!draft.sound) found.drafts.push(draft);
}

/** `$(NAME)` is taken from the environment; an unset or empty variable leaves the key missing. */
function expanded(written: string, environment: Environment): SecretEntry {
  const unset = new Set<string>();
  const value = written.replace(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (_, name: string) => {
    const found = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (!found) unset.add(name);
    return found ?? '';
  });
  return unset.size > 0 ? { missing: `the environment variable ${[...unset].join(', ')} is not set` } : { value: value.trim() };
}

function fromBase64(encoded: string): string | undefined {
  const compact = encoded.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.length % 4 !== 0) return undefined;
  const bytes = Uint8Array.from(atob(compact), character => character.charCodeAt(0));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export const specPath = (...path: Path): Path => ['spec', ...path];
