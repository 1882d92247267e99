// How an importer reads somebody else's configuration: every field is taken or told about, none is passed over in silence.
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

export type Path = readonly (string | number)[];

/** What a person has to know: what was not carried over, or not as it was. */
export type Finding = { readonly file: string; readonly line: number; readonly path: string; readonly message: string };

/** A file as it was read, and what there is to say about it. */
export type Source = {
  readonly value: unknown;
  readonly say: (path: Path, message: string) => void;
};

export type Opened = { readonly source: Source } | { readonly unreadable: string };

/** YAML as PyYAML reads it (1.1: `yes` is true, `<<` merges), or JSON, which is YAML too. */
export function openSource(text: string, file: string, findings: Finding[]): Opened {
  try {
    return opened(text, file, findings);
  } catch (error) {
    // An alias of nothing, one that expands without end, or what is too deep for the parser's stack.
    return { unreadable: `${file}: ${(error as Error).message.split('\n', 1)[0]}` };
  }
}

function opened(text: string, file: string, findings: Finding[]): Opened {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.1',
    merge: true,
    lineCounter: lines,
    logLevel: 'silent',
    prettyErrors: false,
  });
  const [error] = document.errors;
  if (error) return { unreadable: `${file}:${lines.linePos(error.pos[0]).line}: ${error.message.split('\n', 1)[0]}` };
  const told = new Set<string>();
  const say = (path: Path, message: string) => {
    const saying = `${pathText(path)} ${message}`;
    if (told.has(saying)) return;
    told.add(saying);
    const { line } = lines.linePos(offsetOf(document.contents, path));
    findings.push({ file, line: Math.max(1, line), path: pathText(path), message });
  };
  return { source: { value: document.toJS() as unknown, say } };
}

/** Where the field stands, or the nearest thing around it. */
function offsetOf(root: Node | null, path: Path): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

const pathText = (path: Path): string =>
  path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text ? `${text}.${step}` : step), '');

export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

export const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** One mapping, field by field. What is of the wrong kind is told and counts as absent. */
export class Section {
  readonly path: Path;
  readonly #fields: Fields;
  readonly #source: Source;
  readonly #taken = new Set<string>();

  constructor(source: Source, path: Path, value: unknown) {
    this.#source = source;
    this.path = path;
    this.#fields = isFields(value) ? value : {};
    if (value !== undefined && value !== null && !isFields(value)) source.say(path, 'must be a mapping: passed over');
  }

  /** Absent and null are the same. */
  raw(name: string): unknown {
    this.#taken.add(name);
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    if (typeof value === 'number') return String(value);
    return this.#typed(name, value, 'a text', (one): one is string => typeof one === 'string' && one !== '');
  }

  /** @param max the most that can be carried over; what is beyond is told */
  number(name: string, max = Number.POSITIVE_INFINITY): number | undefined {
    const value = this.raw(name);
    const read = typeof value === 'string' && /^\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) ? Number(value) : value;
    const found = this.#typed(name, read, 'a number', isAmount);
    if (found === undefined || found <= max) return found;
    this.say(name, `is more than Tollgate takes: ${max} is written`);
    return max;
  }

  flag(name: string): boolean | undefined {
    return this.#typed(name, this.raw(name), 'true or false', one => typeof one === 'boolean');
  }

  list(name: string): readonly unknown[] {
    return this.#typed(name, this.raw(name), 'a list', (one): one is unknown[] => Array.isArray(one)) ?? [];
  }

  texts(name: string): readonly string[] {
    return this.list(name).filter(one => typeof one === 'string');
  }

  section(name: string): Section {
    return new Section(this.#source, [...this.path, name], this.raw(name));
  }

  sections(name: string): readonly Section[] {
    return this.list(name).map((value, index) => new Section(this.#source, [...this.path, name, index], value));
  }

  names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  say(name: string | undefined, message: string): void {
    this.#source.say(name === undefined ? this.path : [...this.path, name], message);
  }

  /** Says it of each of these fields that is there. */
  tell(message: string, ...names: readonly string[]): void {
    for (const name of names) if (this.raw(name) !== undefined) this.say(name, message);
  }

  /** Fields that say nothing that could be carried over. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#taken.add(name);
  }

  /** Names each field that nobody asked for. */
  tellRest(message = 'not carried over: Tollgate has nothing like it'): void {
    for (const name of this.names()) if (!this.#taken.has(name) && !isEmpty(this.#fields[name])) this.say(name, message);
  }

  #typed<T>(name: string, value: unknown, what: string, is: (value: unknown) => value is T): T | undefined {
    if (value === undefined || is(value)) return value;
    this.say(name, `must be ${what}: passed over`);
    return undefined;
  }
}
