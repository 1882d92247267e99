// Reads metrics in the text format of Prometheus (version 0.0.4) as they arrive, in pieces cut anywhere, and of them only the lines
// that the map of the engine names: a scrape has 700 lines, of which some 20 say something. No object for a line, no pattern matched.
import { type EngineKind, type EngineMetrics, engineMetrics, type Parts, type Signal, type Source } from './metrics.ts';
import { type Adapters, type EngineReading, type Reading, readingOf } from './reading.ts';

const NEWLINE = 0x0a;
const [SPACE, TAB, CARRIAGE_RETURN] = [0x20, 0x09, 0x0d];
const [BRACE, BRACE_END, QUOTE, BACKSLASH, EQUALS, COMMA, HASH] = [0x7b, 0x7d, 0x22, 0x5c, 0x3d, 0x2c, 0x23];
const LETTER_N = 0x6e;

/** Longer lines are no metric of ours. */
const MAX_LINE_BYTES = 64 * 1024;
/** Engines behind one endpoint; what is beyond is left out. */
const MAX_ENGINES = 1024;

/** A name that is looked for. */
type Wanted = {
  readonly name: Uint8Array;
  /** A name may tell several signals, apart by a label. */
  readonly uses: readonly Use[];
};
/** @see Parts: `part` of the signal, and of its names the one in the place `rank`, from the best */
type Use = { readonly signal: Signal; readonly part: number; readonly rank: number; readonly where: Source['where'] };

/** The figures of one engine while they are read. */
type Figures = { readonly running: Sum; readonly waiting: Sum; readonly kv: Sum; readonly progress: Sum; readonly awake: Sum };

/** The map of one engine, ready to be looked up by the bytes of a name. */
export type ScanTable = {
  readonly metrics: EngineMetrics;
  readonly byHash: ReadonlyMap<number, Wanted>;
  readonly firstBytes: Uint8Array;
  readonly labels: ReadonlySet<string>;
};

const LORA_LABELS = ['running_lora_adapters', 'waiting_lora_adapters', 'max_lora'];

export function scanTable(kind: EngineKind): ScanTable {
  const metrics = engineMetrics[kind];
  const byName = new Map<string, Use[]>();
  const labels = new Set([metrics.engineLabel, ...metrics.rankLabels, ...LORA_LABELS]);
  for (const [signal, parts] of Object.entries(metrics.signals) as [Signal, Parts][])
    parts.forEach((names, part) => {
      names.forEach(({ name, where }, rank) => {
        const use = { signal, part, rank, where };
        if (!byName.get(name)?.push(use)) byName.set(name, [use]);
        if (where) labels.add(where.label);
      });
    });
  const byHash = new Map<number, Wanted>();
  const firstBytes = new Uint8Array(256);
  for (const [text, uses] of byName) {
    const name = Buffer.from(text);
    const hash = name.reduce(hashStep, 0);
    // Within one map of names that is a fault of the table, and a test makes all tables.
    if (byHash.has(hash)) throw new Error(`two names of metrics have one hash: ${text}`);
    byHash.set(hash, { name, uses });
    firstBytes[name[0]!] = 1;
  }
  return { metrics, byHash, firstBytes, labels };
}

const hashStep = (hash: number, byte: number): number => (Math.imul(hash, 31) + byte) | 0;

/** One scrape: `push` what arrives, then ask for the `reading`. */
export class MetricScanner {
  readonly #table: ScanTable;
  readonly #engines = new Map<string, Figures>();
  /** A line whose end has not come yet. */
  #begun: Buffer | undefined;
  /** Its beginning was thrown away. */
  #skipping = false;
  #startedAt: number | undefined;
  #adapters: Adapters | undefined;
  #adaptersAt = Number.NEGATIVE_INFINITY;
  /** Labels of the line that is read, those of the table alone. */
  readonly #labels = new Map<string, string>();

  constructor(table: ScanTable) {
    this.#table = table;
  }

  push(chunk: Buffer): void {
    let start = 0;
    if (this.#begun || this.#skipping) {
      const end = chunk.indexOf(NEWLINE);
      if (end < 0) return this.#keep(chunk);
      if (this.#begun) {
        const line = Buffer.concat([this.#begun, chunk.subarray(0, end)]);
        this.#line(line, 0, line.length);
      }
      this.#begun = undefined;
      this.#skipping = false;
      start = end + 1;
    }
    const rest = this.#lines(chunk, start);
    if (rest < chunk.length) this.#keep(chunk.subarray(rest));
  }

  /** Once, after the last piece. A last line without an end is cut off, as its value may be. */
  reading(): Reading {
    const shared = this.#engines.size > 1 ? this.#engines.get('') : undefined;
    const engines: EngineReading[] = [];
    for (const [engine, figures] of this.#engines) if (figures !== shared) engines.push(engineReading(engine, figures, shared));
    return readingOf(engines, { startedAt: this.#startedAt, adapters: this.#adapters });
  }

  #keep(part: Buffer): void {
    if (this.#skipping) return;
    if ((this.#begun?.length ?? 0) + part.length > MAX_LINE_BYTES) {
      this.#begun = undefined;
      this.#skipping = true;
    } else this.#begun = this.#begun ? Buffer.concat([this.#begun, part]) : Buffer.from(part);
  }

  /** @returns where the line begins that has no end yet */
  #lines(bytes: Buffer, from: number): number {
    const { firstBytes } = this.#table;
    let start = from;
    while (start < bytes.length) {
      const end = bytes.indexOf(NEWLINE, start);
      if (end < 0) break;
      if (firstBytes[bytes[start]!] === 1) this.#line(bytes, start, end);
      start = end + 1;
    }
    return start;
  }

  #line(bytes: Buffer, start: number, end: number): void {
    let hash = 0;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === BRACE || byte === SPACE || byte === TAB) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const wanted = this.#table.byHash.get(hash);
    if (!wanted || !isName(bytes, start, at, wanted.name)) return;
    this.#labels.clear();
    const afterLabels = this.#readLabels(bytes, skipBlanks(bytes, at, end), end);
    if (afterLabels < 0) return;
    const value = valueAt(bytes, skipBlanks(bytes, afterLabels, end), end);
    if (Number.isFinite(value) && !this.#isRepeated()) for (const use of wanted.uses) this.#use(use, value);
  }

  /** @returns where they end; -1: the line is broken */
  #readLabels(bytes: Buffer, from: number, end: number): number {
    if (bytes[from] !== BRACE) return from;
    let at = from + 1;
    for (;;) {
      while (at < end && (isBlank(bytes[at]!) || bytes[at] === COMMA)) at++;
      if (at >= end) return -1;
      if (bytes[at] === BRACE_END) return at + 1;
      let equals = at;
      while (equals < end && bytes[equals] !== EQUALS) equals++;
      const quote = skipBlanks(bytes, equals + 1, end);
      if (bytes[quote] !== QUOTE) return -1;
      const close = closingQuote(bytes, quote + 1, end);
      if (close < 0) return -1;
      const name = bytes.toString('latin1', at, equals).trimEnd();
      if (this.#table.labels.has(name)) this.#labels.set(name, labelValue(bytes, quote + 1, close));
      at = close + 1;
    }
  }

  /** Tensor-parallel ranks tell the same requests once each. */
  #isRepeated(): boolean {
    return this.#table.metrics.rankLabels.some(label => (this.#labels.get(label) ?? '0') !== '0');
  }

  #use({ signal, part, rank, where }: Use, value: number): void {
    if (where && this.#labels.get(where.label) !== where.value) return;
    if (signal === 'startedAt') this.#startedAt = value;
    else if (signal === 'adapters') this.#readAdapters(value);
    else if (value >= 0) this.#figures()?.[signal].add(part, rank, value);
  }

  #figures(): Figures | undefined {
    const engine = this.#labels.get(this.#table.metrics.engineLabel) ?? '';
    const known = this.#engines.get(engine);
    if (known || this.#engines.size >= MAX_ENGINES) return known;
    const made = { running: new Sum(), waiting: new Sum(), kv: new Sum('max'), progress: new Sum(), awake: new Sum() };
    this.#engines.set(engine, made);
    return made;
  }

  /** A series for each set of adapters there has been; the newest tells how it is. */
  #readAdapters(at: number): void {
    if (at < this.#adaptersAt) return;
    this.#adaptersAt = at;
    const names = (label: string) =>
      (this.#labels.get(label) ?? '')
        .split(',')
        .map(name => name.trim())
        .filter(name => name !== '');
    const max = Number(this.#labels.get('max_lora'));
    this.#adapters = {
      running: names('running_lora_adapters'),
      waiting: names('waiting_lora_adapters'),
      max: Number.isInteger(max) ? max : 0,
    };
  }
}

/** What several series and several metrics add up to; of names for the same thing the best that is there counts. */
class Sum {
  readonly #values: (number | undefined)[] = [];
  readonly #ranks: number[] = [];
  readonly #how: 'sum' | 'max';

  constructor(how: 'sum' | 'max' = 'sum') {
    this.#how = how;
  }

  add(part: number, rank: number, value: number): void {
    const before = this.#values[part];
    if (before !== undefined && this.#ranks[part]! < rank) return;
    const replaces = before === undefined || this.#ranks[part]! > rank;
    this.#values[part] = replaces ? value : this.#how === 'sum' ? before + value : Math.max(before, value);
    this.#ranks[part] = rank;
  }

  /** undefined: none of its series was there. */
  get value(): number | undefined {
    let sum: number | undefined;
    for (const value of this.#values) if (value !== undefined) sum = (sum ?? 0) + value;
    return sum;
  }
}

/** @param shared figures without the label of an engine next to others with it: counters of the server before them (SGLang) */
function engineReading(engine: string, own: Figures, shared: Figures | undefined): EngineReading {
  const awake = own.awake.value;
  return {
    engine,
    running: own.running.value,
    waiting: own.waiting.value,
    kv: own.kv.value,
    progress: plus(own.progress.value, shared?.progress.value),
    awake: awake === undefined ? undefined : awake > 0,
  };
}

const plus = (a: number | undefined, b: number | undefined) => (a === undefined ? b : b === undefined ? a : a + b);

const isBlank = (byte: number): boolean => byte === SPACE || byte === TAB;

function skipBlanks(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(bytes[at]!)) at++;
  return at;
}

function isName(bytes: Buffer, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}

function closingQuote(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH) at++;
  }
  return -1;
}

/** Escapes are `\\`, `\"` and `\n`; any other backslash stands for itself. */
function labelValue(bytes: Buffer, start: number, end: number): string {
  if (bytes.subarray(start, end).indexOf(BACKSLASH) < 0) return bytes.toString('utf8', start, end);
  const out = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    const next = bytes[at + 1];
    const isEscape = bytes[at] === BACKSLASH && at + 1 < end && (next === BACKSLASH || next === QUOTE || next === LETTER_N);
    if (isEscape) at++;
    out[length++] = isEscape && next === LETTER_N ? NEWLINE : bytes[at]!;
  }
  return out.toString('utf8', 0, length);
}

/** The value ends the line, or a timestamp or an exemplar follows. NaN: unknown, or no number at all. */
function valueAt(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && !isBlank(bytes[at]!) && bytes[at] !== CARRIAGE_RETURN && bytes[at] !== HASH) at++;
  return at === start ? Number.NaN : Number(bytes.toString('latin1', start, at));
}
