// Reads YAML text of one file as documents, each with the places of its fields. Hostile or broken text costs its own document only:
// YAML 1.2 core schema, no custom tags, no merge keys, bounded depth and aliases, string keys only, no `__proto__`.
import { isMap, isScalar, isSeq, LineCounter, type Node, type ParsedNode, parseDocument, visit, type YAMLMap } from 'yaml';

export type Path = readonly (string | number)[];

export type YamlDocument = {
  readonly value: unknown;
  readonly file: string;
  /** Of the first line with content. */
  readonly line: number;
  /** The line of a field, or of the nearest thing around it that is there. */
  readonly lineOf: (path: Path) => number | undefined;
};

export type YamlError = { readonly file: string; readonly line: number; readonly message: string };

/** Manifests are about ten deep. */
const MAX_DEPTH = 64;
/** Uses of anchors in a document, expansions included. */
const MAX_ALIASES = 100;
const MAX_DOCUMENTS = 50_000;
/** An object of Kubernetes is at most 1.5 MiB in etcd. */
const MAX_CHARACTERS = 1024 * 1024;
/** Lines and commas, so that one document takes the parser well below a second. */
const MAX_ENTRIES = 100_000;

const TOO_DEEP = `is nested more than ${MAX_DEPTH} deep`;

/** Document by document, so that the caller can do other things in between. */
export function* readYaml(text: string, file: string): Generator<YamlDocument | YamlError> {
  let count = 0;
  for (const chunk of chunksOf(text)) {
    if (++count > MAX_DOCUMENTS) {
      yield { file, line: chunk.line, message: `has more than ${MAX_DOCUMENTS} documents: the rest is not read` };
      return;
    }
    const read = readChunk(chunk, file);
    if ('message' in read) yield read;
    else if (read.value !== null) yield* itemsOf(read);
  }
}

// ---------------------------------------------------------------- documents

/** The text of one document; `line` is where it begins in the file, from 1. */
type Chunk = { readonly text: string; readonly line: number };

/** `---` at the start of a line is a marker wherever it stands (YAML 1.2, c-forbidden), so a broken document cannot hide the next. */
function* chunksOf(text: string): Generator<Chunk> {
  const marker = /^(?:---(?=[ \t\r\n]|$)|\.\.\.(?=[ \t\r\n]|$))/gm;
  let start = 0;
  let line = 1;
  for (const { index } of text.matchAll(marker)) {
    if (index === start) continue;
    const chunk = text.slice(start, index);
    yield { text: chunk, line };
    line += linesIn(chunk);
    start = index;
  }
  yield { text: text.slice(start), line };
}

function linesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

function readChunk(chunk: Chunk, file: string): YamlDocument | YamlError {
  const error = (line: number, message: string): YamlError => ({ file, line: chunk.line + line - 1, message });
  try {
    const excess = excessOf(chunk.text);
    if (excess) return error(excess.line, excess.message);
    const parsed = parse(chunk.text);
    const [first] = parsed.errors;
    if (first) return error(parsed.lineAt(Math.min(first.pos[0], lastOffset(chunk.text))), inWords(first.code, first.message));
    const flaw = flawOf(parsed.root);
    if (flaw) return error(parsed.lineAt(flaw.offset), flaw.message);
    const line = chunk.line + parsed.lineAt(parsed.root?.range?.[0] ?? 0) - 1;
    return { value: parsed.toJS() ?? null, file, line, lineOf: lineFinder(chunk) };
  } catch (thrown) {
    // The parser recurses, so what is too deep for it ends its stack; toJS refuses aliases that expand too often.
    return error(1, thrown instanceof RangeError ? TOO_DEEP : 'expands its aliases too often');
  }
}

/** Where text ends: what is open there is missed only at the next marker, on a line of its own. */
const lastOffset = (text: string) => Math.max(0, text.trimEnd().length - 1);

function parse(text: string) {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    // Checked below, with a Set: the parser's own check compares each key with all before it.
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: 'silent',
    lineCounter: counter,
  });
  return {
    root: document.contents as ParsedNode | null,
    errors: [...document.errors, ...document.warnings],
    lineAt: (offset: number) => Math.max(1, counter.linePos(offset).line),
    toJS: () => document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown,
  };
}

const WORDS: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: 'has a tag that is not part of YAML 1.2 core',
  NON_STRING_KEY: 'has a key that is no string: put it in quotes',
  TAB_AS_INDENT: 'is indented with a tab: use spaces',
};

/** The parser quotes the text it stumbled over after a colon; in a broken Secret that is the secret. */
const withoutText = (message: string) => message.replace(/(?<=\w): .*$/s, '').split('\n', 1)[0];

const inWords = (code: string, message: string) =>
  message.includes('call stack') ? TOO_DEEP : (WORDS[code] ?? `is not valid YAML: ${withoutText(message)}`);

/**
 * What would cost the parser, which recurses and keeps a node for each entry, too much: found by one look at the characters.
 * Brackets and dashes in plain text count too, hence the margin over the depth that is allowed.
 */
function excessOf(text: string): { readonly line: number; readonly message: string } | undefined {
  if (text.length > MAX_CHARACTERS)
    return { line: 1, message: `is a document of more than ${MAX_CHARACTERS} characters: split it with ---` };
  let line = 1;
  let commas = 0;
  let open = 0;
  let dashes = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\n') line++;
    else if (character === ',') commas++;
    if (character === '[' || character === '{') open++;
    else if (character === ']' || character === '}') open = Math.max(0, open - 1);
    if (character === '-' || character === '?') dashes++;
    else if (character !== ' ') dashes = 0;
    if (open > MAX_OPEN || dashes > MAX_OPEN) return { line, message: TOO_DEEP };
    if (line + commas > MAX_ENTRIES)
      return { line, message: `is a document of more than ${MAX_ENTRIES} entries: split it with ---` };
  }
  return undefined;
}
const MAX_OPEN = 1000;

type Flaw = { readonly offset: number; readonly message: string };

/** What the parser takes and we do not. */
function flawOf(root: ParsedNode | null): Flaw | undefined {
  let flaw: Flaw | undefined;
  let aliases = 0;
  const found = (node: Node | undefined, message: string) => {
    flaw = { offset: node?.range?.[0] ?? 0, message };
    return visit.BREAK;
  };
  visit(root, {
    Node: (_, node, ancestors) => (ancestors.length > 2 * MAX_DEPTH ? found(node, TOO_DEEP) : undefined),
    Alias: (_, node) => (++aliases > MAX_ALIASES ? found(node, `uses more than ${MAX_ALIASES} aliases`) : undefined),
    Map(_, node, ancestors) {
      if (ancestors.length > 2 * MAX_DEPTH) return found(node, TOO_DEEP);
      const flawed = flawedKey(node);
      return flawed && found(flawed.key, flawed.message);
    },
  });
  return flaw;
}

function flawedKey(map: YAMLMap): { readonly key: Node; readonly message: string } | undefined {
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    if (key.value === '__proto__') return { key, message: 'has the key __proto__, which nothing here is called' };
    if (seen.has(key.value)) return { key, message: `has the key ${String(key.value).slice(0, 64)} twice` };
    seen.add(key.value);
  }
  return undefined;
}

// ---------------------------------------------------------------- places

/** Parsed again when the first question comes: questions are asked about problems only, and a kept tree weighs ten times its text. */
function lineFinder(chunk: Chunk): (path: Path) => number {
  let parsed: ReturnType<typeof parse> | undefined;
  return path => {
    parsed ??= parse(chunk.text);
    return chunk.line + parsed.lineAt(offsetOf(parsed.root, path)) - 1;
  };
}

function offsetOf(root: Node | null, path: Path): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** `kubectl get -o yaml` puts several objects into one List. */
function itemsOf(document: YamlDocument): readonly YamlDocument[] {
  const { kind, apiVersion, items } = document.value as { kind?: unknown; apiVersion?: unknown; items?: unknown };
  if (kind !== 'List' || apiVersion !== 'v1' || !Array.isArray(items)) return [document];
  return items.map((value, index) => ({
    value: value as unknown,
    file: document.file,
    line: document.lineOf(['items', index]) ?? document.line,
    lineOf: path => document.lineOf(['items', index, ...path]),
  }));
}
