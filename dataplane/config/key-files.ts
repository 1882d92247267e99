// The key store without a cluster: TenantKeys as manifests in the configuration folder, one file each for those that are made here.
// A key that a person wrote is the same object: it is edited in place, comments kept, as long as it is alone in its file.
import { readFile, realpath, stat, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Document, isMap, parseAllDocuments } from 'yaml';
import type { SourceObject, Verdict } from '#core/compile/index.ts';
import { type Failure, failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { API_VERSION } from '#core/resources/index.ts';
import { readResource, readSpec } from '#core/resources/read.ts';
import { epochMillis } from '#core/units.ts';
import { syncFolder, writeWhole } from '#platform/write-whole.ts';
import type { KeyChange, KeyObject, KeyStore } from '../ports.ts';
import type { FolderConfig } from './folder.ts';

export type KeyFilesOptions = {
  readonly config: Pick<FolderConfig, 'source' | 'reload'>;
  /** Where keys are written; undefined where the configuration is no folder. One of the folders that the configuration is read from. */
  readonly folder: string | undefined;
  readonly now: () => number;
};

const MANIFEST = { apiVersion: API_VERSION, kind: 'TenantKey' };
/** When an object was last changed here; what an editor does leaves no trace in it. */
const UPDATED_AT = 'tollgate.dev/updated-at';
/** A name of a file has at most 255 bytes. */
const MAX_NAME = 240;
const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 20;

export function keyFiles(options: KeyFilesOptions): KeyStore {
  return new KeyFiles(options);
}

class KeyFiles implements KeyStore {
  readonly #options: KeyFilesOptions;
  #running: Promise<unknown> = Promise.resolve();
  #read: { readonly of: readonly SourceObject[]; readonly keys: ReadonlyMap<string, Kept> } | undefined;

  constructor(options: KeyFilesOptions) {
    this.#options = options;
  }

  list(): readonly KeyObject[] {
    return [...this.#kept().values()].map(({ key }) => key);
  }

  create(key: Parameters<KeyStore['create']>[0]): ReturnType<KeyStore['create']> {
    return this.#alone(async folder => {
      const id = `${key.namespace}/${key.name}`;
      if (this.#kept().has(id)) return conflict(`There is a TenantKey ${id} already.`);
      if (this.#hasAlias(key.spec.alias, id)) return aliasTaken(key.spec.alias);
      const text = newManifest(key, new Date(this.#options.now()).toISOString());
      if (!text.ok) return text;
      const file = join(folder, `key-${key.name}.yaml`);
      if (await exists(file)) return conflict(`There is a file key-${key.name}.yaml already.`);
      return this.#inForce(id, file, text.value, undefined);
    });
  }

  update(id: string, change: (key: KeyObject) => Parsed<KeyChange>): Promise<Parsed<KeyObject>> {
    return this.#alone(async folder => {
      const found = await this.#editable(id, folder);
      if (!found.ok) return found;
      const { key, file, text, document } = found.value;
      const wanted = change(key);
      if (!wanted.ok) return wanted;
      if (this.#hasAlias(wanted.value.spec.alias, id)) return aliasTaken(wanted.value.spec.alias);
      edit(document, wanted.value, new Date(this.#options.now()).toISOString());
      return this.#inForce(id, file, document.toString(AS_WRITTEN), text);
    });
  }

  delete(id: string): Promise<Parsed<KeyObject>> {
    return this.#alone(async folder => {
      const found = await this.#editable(id, folder);
      if (!found.ok) return found;
      await unlink(found.value.file);
      await syncFolder(dirname(found.value.file));
      await this.#options.config.reload();
      return ok(found.value.key);
    });
  }

  /** Another key, of this process or of one that shares the folder. */
  #hasAlias(alias: unknown, id: string): boolean {
    return alias !== undefined && this.list().some(key => key.id !== id && key.spec.alias === alias);
  }

  /** One change at a time, over all processes that share the folder, on what the folder holds at this moment. */
  #alone<T>(work: (folder: string) => Promise<Parsed<T>>): Promise<Parsed<T>> {
    const { folder, config } = this.#options;
    if (folder === undefined)
      return Promise.resolve(refuse('not_implemented', { message: 'Keys can be changed where the configuration is a folder.' }));
    const turn = this.#running.then(async (): Promise<Parsed<T>> => {
      const lock = await locked(join(folder, '.keys.lock'));
      if (!lock) return refuse('store_unavailable', { message: 'Another process is changing keys. Nothing was changed.' });
      try {
        await config.reload();
        return await work(folder);
      } finally {
        lock.release();
      }
    });
    this.#running = turn.catch(() => {});
    return turn.catch(error => ({ ok: false, failure: diskFailure(error) }));
  }

  async #editable(id: string, folder: string): Promise<Parsed<Editable>> {
    const kept = this.#kept().get(id);
    if (!kept) return refuse('not_found', { message: `There is no key ${id}.` });
    const place = `${relative(folder, kept.file)}:${kept.line}`;
    const text = await readFile(kept.file, 'utf8');
    const documents = parseAllDocuments(text, { version: '1.2', schema: 'core' });
    const [document] = documents;
    if (!(document instanceof Document) || documents.length !== 1 || !isKey(document, id))
      return conflict(
        `The key ${id} shares its file with other objects (${place}): edit it there, or give it a file of its own.`,
      );
    if (document.errors.length > 0 || /\.json$/i.test(kept.file))
      return conflict(`The key ${id} is in a file that can only be edited by hand (${place}).`);
    return ok({ key: kept.key, file: await realpath(kept.file), text, document });
  }

  /** Writes, looks whether it is as good as it was meant, and takes it back where it is not. */
  async #inForce(id: string, file: string, text: string, before: string | undefined): Promise<Parsed<KeyObject>> {
    const { config } = this.#options;
    const liveBefore = new Set(config.source().verdicts.flatMap(v => (v.live ? [nameOf(v)] : [])));
    await writeWhole(file, text);
    await config.reload();
    const objection = this.#objection(id, liveBefore);
    if (!objection) return ok(this.#kept().get(id)!.key);
    if (before === undefined) await unlink(file);
    else await writeWhole(file, before);
    await config.reload();
    return { ok: false, failure: objection };
  }

  #objection(id: string, liveBefore: ReadonlySet<string>): Failure | undefined {
    const { verdicts } = this.#options.config.source();
    const own = verdicts.find(v => nameOf(v) === `TenantKey ${id}`);
    if (!own || !this.#kept().has(id))
      return failure('internal_error', {
        status: 507,
        message: 'The key could not be read back: the folder may have as many files as are read (4096, 64 MiB in all).',
      });
    const [problem] = own.problems;
    if (!own.sound)
      return failure('invalid_request', {
        message: `The key would not work: ${problem?.path ?? 'spec'}: ${problem?.message ?? 'is not sound'}.`,
      });
    const harmed = verdicts.find(v => !v.sound && !v.live && liveBefore.has(nameOf(v)) && nameOf(v) !== `TenantKey ${id}`);
    if (harmed) return failure('invalid_request', { status: 409, message: `It would be at the cost of ${nameOf(harmed)}.` });
    return undefined;
  }

  /** By id; read again only when the configuration has changed. */
  #kept(): ReadonlyMap<string, Kept> {
    const { objects } = this.#options.config.source();
    if (this.#read?.of !== objects) this.#read = { of: objects, keys: new Map(objects.flatMap(keptIn)) };
    return this.#read.keys;
  }
}

type Kept = { readonly key: KeyObject; readonly file: string; readonly line: number };
type Editable = { readonly key: KeyObject; readonly file: string; readonly text: string; readonly document: Document };

const nameOf = ({ kind, namespace, name }: Verdict): string => `${kind} ${namespace}/${name}`;

function keptIn({ value, source }: SourceObject): [string, Kept][] {
  if ((value as { kind?: unknown } | null)?.kind !== 'TenantKey' || !source) return [];
  const resource = readResource(value);
  const spec = readSpec('TenantKey', (value as { spec?: unknown }).spec);
  if (!resource.ok || !spec.ok) return [];
  const { name, namespace, annotations, creationTimestamp } = resource.value.metadata;
  const key: KeyObject = {
    id: `${namespace}/${name}`,
    namespace,
    name,
    annotations,
    createdAt: timeOf(creationTimestamp),
    updatedAt: timeOf(annotations[UPDATED_AT]),
    spec: spec.value,
  };
  return [[key.id, { key, file: source.file, line: source.line }]];
}

function timeOf(text: string | null | undefined) {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : epochMillis(time);
}

// ---------------------------------------------------------------- manifests

const AS_WRITTEN = { lineWidth: 0, flowCollectionPadding: false } as const;

function newManifest({ namespace, name, spec, annotations }: Parameters<KeyStore['create']>[0], at: string): Parsed<string> {
  const manifest = {
    ...MANIFEST,
    metadata: { name, namespace, creationTimestamp: at, annotations: { ...annotations, [UPDATED_AT]: at } },
    spec,
  };
  const complaint = complaintOf(manifest);
  if (complaint !== undefined) return refuse('invalid_request', { message: complaint });
  return ok(`# Made by the administration API.\n${new Document(manifest).toString(AS_WRITTEN)}`);
}

function complaintOf(manifest: { readonly metadata: { readonly name: string }; readonly spec: unknown }): string | undefined {
  const [resource, spec] = [readResource(manifest), readSpec('TenantKey', manifest.spec)];
  const complaint = [resource, spec].flatMap(read => (read.ok ? [] : read.complaints))[0];
  if (complaint) return `The key would not be valid: ${complaint.path.join('.')} ${complaint.message}.`;
  return manifest.metadata.name.length > MAX_NAME ? 'The name of the key is too long.' : undefined;
}

/** Only what differs is touched, so that comments stay where they are. */
function edit(document: Document, { spec, annotations }: KeyChange, at: string): void {
  for (const [field, value] of Object.entries(spec)) set(document, ['spec', field], value);
  for (const [name, value] of Object.entries({ ...annotations, [UPDATED_AT]: at }))
    set(document, ['metadata', 'annotations', name], value);
}

function set(document: Document, path: readonly string[], value: unknown): void {
  if (value === undefined) document.deleteIn(path);
  else if (!isDeepStrictEqual(valueAt(document.toJS(), path), value)) document.setIn(path, document.createNode(value));
}

const valueAt = (root: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], root);

function isKey(document: Document, id: string): boolean {
  if (!isMap(document.contents)) return false;
  const { kind, metadata } = document.toJS() as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  return kind === 'TenantKey' && `${metadata?.namespace ?? 'default'}/${metadata?.name}` === id;
}

// ---------------------------------------------------------------- files

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Loaded with the first change: most processes never make one. */
async function locked(path: string) {
  const { tryLock } = await import('../costlog/spool-lock.ts');
  for (let waited = 0; waited <= LOCK_WAIT_MS; waited += LOCK_POLL_MS) {
    const lock = tryLock(path);
    if (lock) return lock;
    await sleep(LOCK_POLL_MS);
  }
  return undefined;
}

const aliasTaken = (alias: unknown) =>
  refuse('invalid_request', { message: `There is a key with the alias ${alias} already.`, param: 'key_alias' });
const conflict = (message: string) => refuse('invalid_request', { status: 409, message });

/** What the disk said, in words; anything else is a bug and goes on as one. */
function diskFailure(error: unknown): Failure {
  const { code, errcode } = error as { code?: string; errcode?: number };
  const [cause, status] = DISK[code ?? ''] ?? SQLITE[errcode ?? 0] ?? [];
  if (!cause || !status) throw error;
  return failure('internal_error', { status, message: `The key was not changed: ${cause}.` });
}

const READ_ONLY = ['the configuration folder cannot be written', 500] as const;
const FULL = ['the disk of the configuration folder is full', 507] as const;
const DISK: Readonly<Record<string, readonly [string, number]>> = {
  EACCES: READ_ONLY,
  EPERM: READ_ONLY,
  EROFS: READ_ONLY,
  ENOENT: ['the configuration folder, or the file of the key, is gone', 500],
  ENOSPC: FULL,
  EDQUOT: FULL,
  EIO: ['the disk of the configuration folder failed', 500],
};
/** From the lock: READONLY, IOERR, FULL, CANTOPEN. */
const SQLITE: Readonly<Record<number, readonly [string, number]>> = { 8: READ_ONLY, 10: DISK.EIO!, 13: FULL, 14: READ_ONLY };
