// First step of compile: values become objects of known kinds. What cannot is left out, with a verdict that says why.
import { API_GROUP, API_VERSION, KINDS, type Kind } from '../resources/index.ts';
import {
  type Complaint,
  type Path,
  readNamespace,
  readReferenceGrant,
  readResource,
  readSecret,
  readSpec,
  type SpecOf,
} from '../resources/read.ts';
import { type EpochMillis, epochMillis } from '../units.ts';
import { GRANT_GROUP, GRANT_KIND, GRANT_VERSIONS, type Grant, grantOf } from './grants.ts';
import { notInForce } from './not-in-force.ts';
import { type Environment, type SecretEntry, secretEntries } from './secrets.ts';
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

export type Objects = {
  /** By `namespace/name`. */
  readonly providers: ReadonlyMap<string, Resource<'LLMProvider'>>;
  readonly routes: readonly Resource<'LLMRoute'>[];
  readonly keys: readonly Resource<'TenantKey'>[];
  /** By `namespace/name`. */
  readonly secrets: ReadonlyMap<string, ReadonlyMap<string, SecretEntry>>;
  /** Labels by name. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly grants: readonly Grant[];
  /** `kind namespace/name` of what was left out. */
  readonly rejected: ReadonlySet<string>;
  /** Of everything that deserves one, in the order of the input. */
  readonly drafts: readonly Draft[];
};

export function objectsOf(input: readonly SourceObject[], environment: Environment, standalone: boolean): Objects {
  const found: Found = {
    LLMProvider: [],
    LLMRoute: [],
    TenantKey: [],
    secrets: new Map(),
    namespaces: new Map(),
    grants: [],
    drafts: [],
    rejected: new Set(),
    places: new Map(),
    environment,
    standalone,
  };
  for (const object of input) sortIn(object, found);
  return {
    providers: new Map(found.LLMProvider.map(resource => [resource.id, resource])),
    routes: found.LLMRoute,
    keys: found.TenantKey,
    secrets: found.secrets,
    namespaces: found.namespaces,
    grants: found.grants,
    drafts: found.drafts,
    rejected: found.rejected,
  };
}

type Found = {
  readonly LLMProvider: Resource<'LLMProvider'>[];
  readonly LLMRoute: Resource<'LLMRoute'>[];
  readonly TenantKey: Resource<'TenantKey'>[];
  readonly secrets: Map<string, ReadonlyMap<string, SecretEntry>>;
  readonly namespaces: Map<string, Readonly<Record<string, string>>>;
  readonly grants: Grant[];
  readonly drafts: Draft[];
  readonly rejected: Set<string>;
  /** Where each `kind namespace/name` was first seen. */
  readonly places: Map<string, string>;
  readonly environment: Environment;
  readonly standalone: boolean;
};

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** How a manifest of a kind is taken in; by `apiVersion kind`. */
const readers: Readonly<Record<string, (value: Fields, draft: Draft, found: Found) => void>> = {
  'v1 Secret': sortInSecret,
  'v1 Namespace': sortInNamespace,
  ...Object.fromEntries(GRANT_VERSIONS.map(version => [`${GRANT_GROUP}/${version} ${GRANT_KIND}`, sortInGrant])),
  ...Object.fromEntries(
    KINDS.map(kind => [
      `${API_VERSION} ${kind}`,
      (value: Fields, draft: Draft, found: Found) => sortInResource(kind, value, draft, found),
    ]),
  ),
};

function sortIn({ value, source }: SourceObject, found: Found): void {
  const draft = new Draft(identityOf(value, source));
  if (!isFields(value)) {
    reject(draft, found, [{ path: [], message: 'is not an object: a manifest is a mapping with apiVersion and kind' }]);
    return;
  }
  const { apiVersion, kind } = value;
  const name = `${apiVersion} ${kind}`;
  if (Object.hasOwn(readers, name)) readers[name]?.(value, draft, found);
  else if (isForeign(apiVersion, kind)) {
    draft.remark(['kind'], `${name.slice(0, 200)} is not a kind that Tollgate reads: passed over`);
    found.drafts.push(draft);
  } else {
    reject(draft, found, [{ path: ['apiVersion'], message: `must be ${API_VERSION} with one of the kinds ${KINDS.join(', ')}` }]);
  }
}

/** Somebody else's object, as folders of manifests have them; not one of ours with a slip in it. */
const isForeign = (apiVersion: unknown, kind: unknown): boolean =>
  typeof apiVersion === 'string' &&
  typeof kind === 'string' &&
  !apiVersion.startsWith(API_GROUP) &&
  !(KINDS as readonly string[]).includes(kind);

function identityOf(value: unknown, source: Source | undefined) {
  const { kind, metadata } = isFields(value) ? value : {};
  const { namespace, name } = isFields(metadata) ? metadata : {};
  const word = (entry: unknown) => (typeof entry === 'string' ? entry.slice(0, 253) : '');
  return { kind: word(kind), namespace: word(namespace) || 'default', name: word(name), source };
}

function reject(draft: Draft, found: Found, complaints: readonly Complaint[]): void {
  for (const { path, message } of complaints.slice(0, MAX_COMPLAINTS)) draft.fail('Accepted', 'Invalid', path, message);
  found.rejected.add(`${draft.identity.kind} ${draft.id}`);
  found.drafts.push(draft);
}

/** More than anyone reads at once; a hostile file could have millions. */
const MAX_COMPLAINTS = 50;

function sortInResource<K extends Kind>(kind: K, value: Fields, draft: Draft, found: Found): void {
  const outer = readResource(value);
  const spec = readSpec(kind, value.spec);
  draft.notInForce = notInForce(kind, value.spec, found.standalone);
  if (!outer.ok || !spec.ok) {
    reject(draft, found, [...(outer.ok ? [] : outer.complaints), ...(spec.ok ? [] : spec.complaints)]);
    return;
  }
  if (isTaken(draft, found)) return;
  const { metadata } = outer.value;
  const createdAt = Date.parse(metadata.creationTimestamp ?? '');
  found.drafts.push(draft);
  (found[kind] as Resource<K>[]).push({
    id: draft.id,
    namespace: metadata.namespace,
    name: metadata.name,
    labels: metadata.labels,
    createdAt: Number.isNaN(createdAt) ? undefined : epochMillis(createdAt),
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
  if (read.ok) found.namespaces.set(read.value.metadata.name, read.value.metadata.labels);
  else reject(draft, found, read.complaints);
}

function sortInGrant(value: Fields, draft: Draft, found: Found): void {
  const read = readReferenceGrant(value);
  const grant = read.ok ? grantOf(read.value) : undefined;
  if (!read.ok) reject(draft, found, read.complaints);
  else if (grant) found.grants.push(grant);
}

function sortInSecret(value: Fields, draft: Draft, found: Found): void {
  const read = readSecret(value);
  if (!read.ok) {
    reject(draft, found, read.complaints);
    return;
  }
  if (isTaken(draft, found)) return;
  const { entries, complaints } = secretEntries(read.value, found.environment);
  found.secrets.set(draft.id, entries);
  if (complaints.length > 0) reject(draft, found, complaints);
}

export const specPath = (...path: Path): Path => ['spec', ...path];
