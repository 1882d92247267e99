// Reads YAML text of one file as documents, each with the places of its fields. Hostile or broken text costs its own document only:
// YAML 1.2 core schema, no custom tags, no merge keys, bounded depth and aliases, string keys only, no `__proto__`.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, type ParsedNode, parseDocument, visit } from 'yaml';

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

export type YamlText = { readonly documents: readonly YamlDocument[]; readonly errors: readonly YamlError[] };

/** Manifests are about ten deep. */
const MAX_DEPTH = 64;
/** Expansions of anchors in a document. */
const MAX_ALIASES = 100;
const MAX_DOCUMENTS = 50_000;

export function readYaml(text: string, file: string): YamlText {
  const documents: YamlDocument[] = [];
  const errors: YamlError[] = [];
  for (const chunk of chunksOf(text)) {
    if (documents.length + errors.length >= MAX_DOCUMENTS) {
      errors.push({ file, line: chunk.line, message: `has more than ${MAX_DOCUMENTS} documents: the rest is not read` });
      break;
    }
    const read = readChunk(chunk, file);
    if ('message' in read) errors.push(read);
    else if (read.value !== null) documents.push(...itemsOf(read));
  }
  return { documents, errors };
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
  const tooDeep = depthBound(chunk.text);
  if (tooDeep !== undefined) return error(tooDeep, `is nested more than ${MAX_DEPTH} deep`);
  const parsed = parse(chunk.text);
  const [first] = parsed.errors;
  if (first) return error(parsed.lineAt(first.pos[0]), inWords(first.code, first.message));
  const flaw = flawOf(parsed.root);
  if (flaw) return error(parsed.lineAt(flaw.offset), flaw.message);
  try {
    const value: unknown = parsed.toJS();
    const line = chunk.line + parsed.lineAt(parsed.root?.range?.[0] ?? 0) - 1;
    return { value: value ?? null, file, line, lineOf: path => lineOf(chunk, path) };
  } catch (thrown) {
    // The only thing toJS throws: the count of alias expansions went over the bound, or an alias has no anchor.
    return error(1, thrown instanceof ReferenceError ? 'expands its aliases too often' : 'cannot be read');
  }
}

function parse(text: string) {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: true,
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
  DUPLICATE_KEY: 'has the same key twice',
  TAG_RESOLVE_FAILED: 'has a tag that is not part of YAML 1.2 core',
  NON_STRING_KEY: 'has a key that is no string: put it in quotes',
  TAB_AS_INDENT: 'is indented with a tab: use spaces',
};
const inWords = (code: string, message: string) => WORDS[code] ?? `is not valid YAML: ${message.split('\n', 1)[0]}`;

/**
 * The first line that is certainly too deep, before the parser, which recurses, sees it: open brackets, or dashes in a row.
 * Block mappings need a column more for each level, and so are bounded by the size of the file; `parse` meets them at a few
 * thousand levels at most.
 */
function depthBound(text: string): number | undefined {
  let line = 1;
  let depth = 0;
  let run = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10) line++;
    if (code === 91 || code === 123) depth++;
    else if (code === 93 || code === 125) depth = Math.max(0, depth - 1);
    run = code === 45 || code === 63 ? run + 1 : code === 32 ? run : 0;
    if (depth > MAX_BRACKETS || run > MAX_BRACKETS) return line;
  }
  return undefined;
}
/** Brackets in plain text count too, hence the wide margin over the depth that is allowed. */
const MAX_BRACKETS = 1000;

type Flaw = { readonly offset: number; readonly message: string };

/** What the parser takes and we do not. */
function flawOf(root: ParsedNode | null): Flaw | undefined {
  let flaw: Flaw | undefined;
  visit(root, {
    Node(_, node, ancestors) {
      if (ancestors.length <= 2 * MAX_DEPTH) return undefined;
      flaw = { offset: (node as Node).range?.[0] ?? 0, message: `is nested more than ${MAX_DEPTH} deep` };
      return visit.BREAK;
    },
    Pair(_, pair: Pair) {
      if (!isScalar(pair.key) || pair.key.value !== '__proto__') return undefined;
      flaw = { offset: pair.key.range?.[0] ?? 0, message: 'has the key __proto__, which nothing here is called' };
      return visit.BREAK;
    },
  });
  return flaw;
}

// ---------------------------------------------------------------- places

/** Parsed again for each question: questions are asked about problems only, and a kept tree weighs ten times its text. */
function lineOf(chunk: Chunk, path: Path): number {
  const { root, lineAt } = parse(chunk.text);
  return chunk.line + lineAt(offsetOf(root, path)) - 1;
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
    if (isAlias(node)) break;
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
