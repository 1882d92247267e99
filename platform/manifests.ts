// Reads manifests from files and folders: `.yaml`, `.yml` and `.json`, in a fixed order, within bounds.
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { readYaml, type YamlDocument, type YamlError } from './yaml.ts';

export type Limits = { readonly fileBytes: number; readonly files: number; readonly totalBytes: number };
export const manifestLimits: Limits = { fileBytes: 8 * 1024 * 1024, files: 4096, totalBytes: 64 * 1024 * 1024 };

export type Manifests = {
  readonly documents: readonly YamlDocument[];
  readonly errors: readonly YamlError[];
  /** The files that were found, readable or not. */
  readonly files: readonly string[];
};

/** Files as they are, not yet parsed: comparing them is cheaper than parsing them. */
export type ManifestFiles = {
  readonly contents: readonly { readonly file: string; readonly bytes: Uint8Array }[];
  readonly errors: readonly YamlError[];
  readonly files: readonly string[];
  /** The folders that were looked through, and of a path that is a file, its folder. */
  readonly folders: readonly string[];
};

export async function readManifests(paths: readonly string[], limits: Limits = manifestLimits): Promise<Manifests> {
  return parseManifests(await readManifestFiles(paths, limits));
}

export async function readManifestFiles(paths: readonly string[], limits: Limits = manifestLimits): Promise<ManifestFiles> {
  const errors: YamlError[] = [];
  const contents: { file: string; bytes: Uint8Array }[] = [];
  const { files, folders } = await entriesUnder(paths, limits, errors);
  let total = 0;
  for (const file of files) {
    const bytes = await bytesOf(file, Math.min(limits.fileBytes, limits.totalBytes - total), errors);
    if (bytes === undefined) continue;
    total += bytes.length;
    contents.push({ file, bytes });
  }
  return { contents, errors, files, folders };
}

export async function parseManifests({ contents, errors: before, files }: Omit<ManifestFiles, 'folders'>): Promise<Manifests> {
  const errors = [...before];
  const documents: YamlDocument[] = [];
  for (const { file, bytes } of contents)
    for await (const read of documentsOf(bytes, file)) {
      if ('message' in read) errors.push(read);
      else documents.push(read);
    }
  return { documents, errors, files };
}

const isManifest = (name: string) => /\.(ya?ml|json)$/i.test(name);

async function entriesUnder(paths: readonly string[], limits: Limits, errors: YamlError[]) {
  const files: string[] = [];
  const folders: string[] = [];
  const waiting: Entry[] = paths.map(path => ({ path, isLink: false })).reverse();
  while (waiting.length > 0) {
    const { path, isLink } = waiting.pop()!;
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && paths.includes(path)) folders.push(dirname(path));
    if (found === undefined) errors.push({ file: path, line: 1, message: 'cannot be found or read' });
    else if (found.isDirectory() && !isLink) {
      folders.push(path);
      waiting.push(...(await entriesOf(path, errors)).reverse());
    } else if (found.isFile() && files.length < limits.files) files.push(path);
    else if (found.isFile()) {
      errors.push({ file: path, line: 1, message: `is more than file number ${limits.files}: the rest is not read` });
      break;
    }
  }
  return { files, folders };
}

type Entry = { readonly path: string; readonly isLink: boolean };

/** Without dot files: a mounted ConfigMap has its real folder under `..data` and links to it. Links to folders are not
 * followed, links to files are. */
async function entriesOf(folder: string, errors: YamlError[]): Promise<Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter(entry => !entry.name.startsWith('.') && (entry.isDirectory() || isManifest(entry.name)))
      .map(entry => ({ path: join(folder, entry.name), isLink: entry.isSymbolicLink() }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  } catch {
    errors.push({ file: folder, line: 1, message: 'cannot be read' });
    return [];
  }
}

async function bytesOf(file: string, limit: number, errors: YamlError[]): Promise<Uint8Array | undefined> {
  const error = (message: string): undefined => {
    errors.push({ file, line: 1, message });
    return undefined;
  };
  try {
    const { size } = await stat(file);
    if (size > limit) return error(`has ${size} bytes, more than the ${limit} that are left of the bound: not read`);
    const bytes = await readFile(file);
    return bytes.length > limit ? error('grew while it was read') : bytes;
  } catch {
    return error('cannot be read');
  }
}

/** Lets others run every few documents: ten thousand keys take the parser two seconds, and the gateway serves meanwhile. */
async function* documentsOf(bytes: Uint8Array, file: string): AsyncGenerator<YamlDocument | YamlError> {
  const text = textOf(bytes);
  if (text === undefined) {
    yield { file, line: 1, message: 'is not UTF-8 text' };
    return;
  }
  let count = 0;
  for (const read of readYaml(text, file)) {
    if (++count % DOCUMENTS_AT_ONCE === 0) await setImmediate();
    yield read;
  }
}

const DOCUMENTS_AT_ONCE = 16;

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
