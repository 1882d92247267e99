// The configuration source without a cluster: a folder of manifests, compiled, watched and swapped as one reference. What an edit
// breaks is reported, and its last good version stays in force.
import { sep } from 'node:path';
import {
  type Catalogue,
  type CompileInput,
  compile,
  emptyCatalogue,
  keysToGenerate,
  needsCatalogue,
  type PriceFile,
  type SourceObject,
  type UpstreamPolicy,
  type Verdict,
} from '#core/compile/index.ts';
import type { EpochMillis } from '#core/units.ts';
import { type ManifestFiles, parseManifests, readManifestFiles } from '#platform/manifests.ts';
import { folderWatch } from '#platform/watch.ts';
import type { YamlDocument, YamlError } from '#platform/yaml.ts';
import type { ConfigSource } from '../ports.ts';
import { emptyConfig, type LiveConfig, liveConfig } from './live.ts';
import { generatedKey } from './secrets.ts';
import { environmentNames, simulated } from './simulated.ts';

export type FolderOptions = {
  readonly paths: readonly string[];
  /** Where generated keys are kept. */
  readonly dataFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly policy: UpstreamPolicy;
  /** Asked for at most once, and only when a model needs it: it is large. */
  readonly catalogue: () => Promise<Catalogue>;
  readonly priceFile?: PriceFile;
  readonly digest: (text: string) => string;
  readonly now: () => number;
  /** Starts the stand-in for all providers; asked for at most once, and only when no variable that a Secret names is set. */
  readonly simulator?: () => Promise<StandIn>;
  readonly onLoad: (report: LoadReport) => void;
  /** A change that could not be taken up, for reasons outside of the folder; it is tried again. Not told twice in a row. */
  readonly onFailure: (error: Error) => void;
};

export type StandIn = { readonly origin: string; close(): Promise<void> };

export type LoadReport = {
  readonly generation: number;
  readonly errors: readonly YamlError[];
  readonly verdicts: readonly Verdict[];
  /** Objects whose new version is broken and whose last good one stays. */
  readonly kept: readonly string[];
  readonly simulated: boolean;
};

export type FolderConfig = ConfigSource & {
  readonly loadedAt: () => number;
  readonly lastError: () => string | undefined;
  /** Keys made here for `generate`, by `namespace/name`. */
  readonly generated: ReadonlyMap<string, string>;
  /** What the snapshot was made of, where it stands, and what was said of it. */
  readonly source: () => ConfigSourceState;
  /** Looks at the folder now, instead of when the watcher does. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

export type ConfigSourceState = { readonly objects: readonly SourceObject[]; readonly verdicts: readonly Verdict[] };

/** An editor writes a file in several steps; one reading is enough. */
const SETTLE_MS = 40;
/** Where the kernel tells nothing (network file systems), a look now and then does. */
const POLL_MS = 3_000;

export async function folderConfig(options: FolderOptions): Promise<FolderConfig> {
  const loader = new FolderLoader(options);
  try {
    await loader.load();
  } catch (error) {
    await loader.close();
    throw error;
  }
  const stop = keepLooking(loader, options.onFailure);
  return {
    current: () => loader.live,
    loadedAt: () => loader.loadedAt,
    lastError: () => loader.lastError,
    generated: loader.generated,
    source: () => loader.source,
    reload: () => loader.load(),
    async close() {
      stop();
      await loader.close();
    },
  };
}

class FolderLoader {
  readonly #options: FolderOptions;
  readonly generated = new Map<string, string>();
  live: LiveConfig = emptyConfig;
  loadedAt = 0;
  lastError: string | undefined;
  source: ConfigSourceState = { objects: [], verdicts: [] };
  /** Those that the last look went through. */
  folders: readonly string[] = [];
  #loading: Promise<void> = Promise.resolve();
  #fingerprint = '';
  /** What was read of each file, so that of thousands only those that changed are parsed. */
  #parsed = new Map<string, ParsedFile>();
  /** The documents of each file when it was last readable. */
  #readable = new Map<string, readonly YamlDocument[]>();
  /** The version of each object that was last in force. */
  #good = new Map<string, unknown>();
  #simulator: Promise<StandIn> | undefined;
  #catalogue: Promise<Catalogue> | undefined;

  constructor(options: FolderOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    await (await this.#simulator)?.close();
  }

  /** One at a time; resolves when what is in the folder at this moment is in force. */
  load(): Promise<void> {
    const loaded = this.#loading.then(() => this.#load()).catch(error => this.#failed(error));
    this.#loading = loaded.catch(() => {});
    return loaded;
  }

  #failed(error: Error): never {
    this.#fingerprint = '';
    this.lastError = error.message;
    throw error;
  }

  async #load(): Promise<void> {
    const { paths, onLoad } = this.#options;
    const found = await readManifestFiles(paths);
    this.folders = found.folders;
    const digests = this.#digestsOf(found);
    const fingerprint = JSON.stringify([...digests, found.errors]);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    const read = await this.#parse(found, digests);
    const documents = this.#withLastReadable(read.documents, read.errors);
    const { objects, environment, simulated: isSimulated } = await this.#standIn(documents.map(toObject));
    await this.#makeKeys(objects);
    const catalogue = await this.#catalogueFor(objects);
    const { compiled, kept, inForce } = this.#compileKeepingGood(objects, environment, catalogue);
    this.source = { objects: inForce, verdicts: compiled.verdicts };
    this.live = liveConfig(compiled.snapshot, compiled.credentials, this.live.generation + 1, this.#options.digest);
    this.loadedAt = this.#options.now();
    this.lastError = firstError(read.errors, compiled.verdicts);
    onLoad({ generation: this.live.generation, errors: read.errors, verdicts: compiled.verdicts, kept, simulated: isSimulated });
  }

  #digestsOf({ contents }: ManifestFiles): ReadonlyMap<string, string> {
    const { digest } = this.#options;
    return new Map(contents.map(({ file, bytes }) => [file, digest(Buffer.from(bytes).toString('latin1'))]));
  }

  async #parse({ contents, errors }: ManifestFiles, digests: ReadonlyMap<string, string>): Promise<Omit<ParsedFile, 'digest'>> {
    const before = this.#parsed;
    this.#parsed = new Map();
    for (const content of contents) {
      const digest = digests.get(content.file)!;
      const known = before.get(content.file);
      const parsed =
        known?.digest === digest ? known : { digest, ...(await parseManifests({ contents: [content], errors: [], files: [] })) };
      this.#parsed.set(content.file, parsed);
    }
    const all = [...this.#parsed.values()];
    return { documents: all.flatMap(p => p.documents), errors: [...errors, ...all.flatMap(p => p.errors)] };
  }

  /** What cannot be read any more, a file or a folder, counts as it was when it could. */
  #withLastReadable(documents: readonly YamlDocument[], errors: readonly YamlError[]): readonly YamlDocument[] {
    const broken = new Set(errors.flatMap(e => [e.file, ...this.#readableUnder(e.file)]));
    const byFile = Map.groupBy(documents, d => d.file);
    const result = documents.filter(d => !broken.has(d.file));
    for (const file of broken) {
      const before = this.#readable.get(file);
      result.push(...(before ?? byFile.get(file) ?? []));
      if (before) byFile.set(file, [...before]);
    }
    this.#readable = byFile;
    return result;
  }

  #readableUnder(folder: string): string[] {
    return [...this.#readable.keys()].filter(file => file.startsWith(folder.endsWith(sep) ? folder : folder + sep));
  }

  async #standIn(objects: readonly SourceObject[]) {
    const { environment, simulator } = this.#options;
    const names = environmentNames(objects);
    if (!simulator || names.size === 0 || [...names].some(name => environment[name]))
      return { objects, environment, simulated: false };
    this.#simulator ??= simulator();
    const values = Object.fromEntries([...names].map(name => [name, 'sk-simulated']));
    return {
      objects: simulated(objects, (await this.#simulator).origin),
      environment: { ...environment, ...values },
      simulated: true,
    };
  }

  async #makeKeys(objects: readonly SourceObject[]): Promise<void> {
    for (const { id, prefix, bytes } of keysToGenerate(objects))
      if (!this.generated.has(id)) this.generated.set(id, await generatedKey(this.#options.dataFolder, id, prefix, bytes));
  }

  #catalogueFor(objects: readonly SourceObject[]): Promise<Catalogue> | Catalogue {
    if (!needsCatalogue(objects)) return emptyCatalogue;
    this.#catalogue ??= this.#options.catalogue();
    return this.#catalogue;
  }

  /** Compiles; where an object that was in force is now invalid, once more with its last good version in its place. */
  #compileKeepingGood(objects: readonly SourceObject[], environment: CompileInput['environment'], catalogue: Catalogue) {
    const { policy, priceFile, digest, now } = this.#options;
    const input = {
      policy,
      environment,
      catalogue,
      digest,
      now: now() as EpochMillis,
      generated: this.generated,
      ...(priceFile && { priceFile }),
    };
    let inForce = objects;
    let compiled = compile({ ...input, objects });
    const { verdicts } = compiled;
    const kept = verdicts.filter(v => isBroken(v) && this.#good.has(idOf(v))).map(idOf);
    if (kept.length > 0) {
      inForce = objects.map(object => {
        const id = idOfValue(object.value);
        return id !== undefined && kept.includes(id) ? { ...object, value: this.#good.get(id) } : object;
      });
      compiled = { ...compile({ ...input, objects: inForce }), verdicts };
    }
    this.#rememberGood(objects, verdicts, kept);
    return { compiled, kept, inForce };
  }

  #rememberGood(objects: readonly SourceObject[], verdicts: readonly Verdict[], kept: readonly string[]): void {
    const live = new Set(verdicts.filter(v => v.live).map(idOf));
    const good = new Map(kept.map(id => [id, this.#good.get(id)]));
    for (const { value } of objects) {
      const id = idOfValue(value);
      if (id !== undefined && live.has(id)) good.set(id, value);
    }
    this.#good = good;
  }
}

type ParsedFile = {
  readonly digest: string;
  readonly documents: readonly YamlDocument[];
  readonly errors: readonly YamlError[];
};

const toObject = ({ value, file, line, lineOf }: YamlDocument): SourceObject => ({ value, source: { file, line, lineOf } });

/** Invalid in itself; what only lacks something around it (a Secret, a provider) is not kept alive against the user's will. */
const isBroken = (verdict: Verdict): boolean =>
  !verdict.live && verdict.conditions.some(c => c.type === 'Accepted' && c.status === 'False' && c.reason === 'Invalid');

const idOf = ({ kind, namespace, name }: Pick<Verdict, 'kind' | 'namespace' | 'name'>): string => `${kind} ${namespace}/${name}`;

function idOfValue(value: unknown): string | undefined {
  const { kind, metadata } = (value ?? {}) as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  if (typeof kind !== 'string' || typeof metadata?.name !== 'string') return undefined;
  return idOf({ kind, namespace: String(metadata.namespace ?? 'default'), name: metadata.name });
}

function firstError(errors: readonly YamlError[], verdicts: readonly Verdict[]): string | undefined {
  const error = errors[0];
  if (error) return `${error.file}:${error.line}: ${error.message}`;
  const unsound = verdicts.find(v => !v.sound);
  return unsound && `${unsound.kind} ${unsound.namespace}/${unsound.name}: ${unsound.problems[0]?.message ?? 'is not sound'}`;
}

/** Looks again after something in the folders has changed and come to rest, and now and then. */
function keepLooking(loader: FolderLoader, onFailure: (error: Error) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let told: string | undefined;
  const look = async () => {
    try {
      await loader.load();
      told = undefined;
    } catch (error) {
      if (String(error) !== told) onFailure(error as Error);
      told = String(error);
    }
    follow();
  };
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE_MS);
  };
  const watch = folderWatch(changed);
  const follow = () => {
    if (watch.follow(loader.folders)) changed();
  };
  follow();
  const poll = setInterval(look, POLL_MS);
  poll.unref();
  return () => {
    clearTimeout(timer);
    clearInterval(poll);
    watch.close();
  };
}
