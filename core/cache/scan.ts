// Cuts a prompt into words, numbers, code and quotations, in one pass over its characters. What is code or quoted keeps its case and
// its signs; everything else is lower case. Linear on any input: nothing is looked for twice from the same place.

export type Kind =
  | 'word'
  /** Digits, as `value` says them without separators: 10,000 and 10k are 10000. */
  | 'number'
  /** An identifier, path, flag, operator or whatever else has signs inside: compared exactly. */
  | 'code'
  /** What stood between quotes, backticks or fences: compared exactly. */
  | 'quote'
  /** A comma, stop or colon: ends a phrase. */
  | 'mark';

export type Piece = {
  readonly kind: Kind;
  /** Lower case for words; digits for numbers; as written for code and quotes. */
  readonly form: string;
  /** How it was capitalised: `Paris` first, `NASA` all, `iPhone` mixed. */
  readonly capital: 'none' | 'first' | 'all' | 'mixed';
  /** Whether a sentence begins with it, so that its capital says nothing. */
  readonly opens: boolean;
  /** It was one half of what a hyphen joined, and not the first. */
  readonly joined: boolean;
};

const MAX_PIECE = 80;
const SPACE = /\s/;
const LETTER = /\p{L}/u;
const straight: Readonly<Record<string, string>> = {
  '’': "'",
  '‘': "'",
  '“': '"',
  '”': '"',
  '«': '"',
  '»': '"',
  '–': '-',
  '—': ' - ',
};

export function scan(text: string): Piece[] {
  const plain = text.normalize('NFC').replace(/[’‘“”«»–—]/g, sign => straight[sign]!);
  return new Scanner(plain).pieces();
}

class Scanner {
  private readonly text: string;
  private readonly out: Piece[] = [];
  private at = 0;
  private opens = true;
  /** Quote signs that are known not to close again. */
  private readonly unclosed = new Set<string>();

  constructor(text: string) {
    this.text = text;
  }

  pieces(): Piece[] {
    while (this.at < this.text.length) {
      const sign = this.text[this.at]!;
      if (SPACE.test(sign)) this.at++;
      else if (!this.quotation(sign)) this.chunk();
    }
    return this.out;
  }

  /** Takes a quotation that begins here, if one does and ends. */
  private quotation(sign: string): boolean {
    if (sign !== '"' && sign !== "'" && sign !== '`') return false;
    const fence = sign === '`' && this.text.startsWith('```', this.at) ? '```' : sign;
    if (this.unclosed.has(fence)) return false;
    const end = this.closing(fence, this.at + fence.length);
    if (end < 0) {
      this.unclosed.add(fence);
      return false;
    }
    const inside = this.text.slice(this.at + fence.length, end);
    this.at = end + fence.length;
    if (inside.trim() !== '') this.push('quote', inside.trim(), 'none');
    return true;
  }

  /** A single quote closes only where no letter follows: in `don't` it is an apostrophe. */
  private closing(fence: string, from: number): number {
    let end = this.text.indexOf(fence, from);
    while (fence === "'" && end >= 0 && LETTER.test(this.text[end + 1] ?? ' ')) end = this.text.indexOf(fence, end + 1);
    return end;
  }

  /** Everything up to the next white space. */
  private chunk(): void {
    const start = this.at;
    while (this.at < this.text.length && !SPACE.test(this.text[this.at]!)) {
      const sign = this.text[this.at]!;
      if (this.at > start && (sign === '"' || sign === '`') && !this.unclosed.has(sign)) break;
      this.at++;
    }
    const chunk = this.text.slice(start, this.at);
    // An operator by itself: `??`, `?.`; but not the dots and exclamation marks of a sentence.
    if (chunk.length > 1 && /^[\p{P}\p{S}]+$/u.test(chunk) && !/^[.,;:!…-]+$/.test(chunk))
      return this.push('code', chunk, 'none');
    const [before, core, after] = trimmed(chunk);
    if (/[,;:(]/.test(before)) this.mark(',');
    if (core !== '') this.classify(core);
    if (/[!?]/.test(after) || (after.includes('.') && !/\p{L}\.\p{L}$/u.test(core))) this.mark('.');
    else if (/[,;:)]/.test(after)) this.mark(',');
  }

  private mark(form: string): void {
    if (this.out.length > 0) this.out.push({ kind: 'mark', form, capital: 'none', opens: false, joined: false });
    if (form === '.') this.opens = true;
  }

  private push(kind: Kind, form: string, capital: Piece['capital'], joined = false): void {
    this.out.push({ kind, form, capital, opens: this.opens, joined });
    this.opens = false;
  }

  private classify(core: string): void {
    if (core.length > MAX_PIECE || /^[-*•·]+$/.test(core))
      return core.length > MAX_PIECE ? this.push('code', core, 'none') : this.mark(',');
    if (isWord(core)) return this.word(core, false);
    if (core === '%') return this.push('word', 'percent', 'none');
    if (/^°[CF]$/.test(core)) return this.push('word', core.toLowerCase(), 'none');
    const amount = amountOf(core);
    if (amount) {
      for (const [kind, form] of amount) this.push(kind, form, 'none');
      return;
    }
    if (/^(?:\p{L}\.){2,}\p{L}?$/u.test(`${core}.`) || /^(?:\p{L}\.)+\p{L}$/u.test(core)) return this.initials(core);
    if (/^[\p{L}\p{N}']+(?:[-/][\p{L}\p{N}']+)+$/u.test(core)) return this.parts(core);
    if (/^\p{L}[\p{L}\p{N}]*$/u.test(core) || /^[\p{L}\p{N}]+$/u.test(core)) return this.word(core, false);
    const version = /^(\p{L}+)[-]?(\d+(?:\.\d+)+)$/u.exec(core);
    if (version) {
      if (version[1]!.toLowerCase() !== 'v') this.word(version[1]!, false);
      return this.push('number', version[2]!, 'none');
    }
    // Signs other than dots make case meaningful: `user_id`, `-U`; `Node.js` is a name.
    this.push('code', /^[\p{L}\p{N}.]+$/u.test(core) ? core.toLowerCase() : core, 'none');
  }

  private word(core: string, joined: boolean): void {
    this.push('word', core.toLowerCase(), capitalOf(core), joined);
  }

  /** `a.m.` and `U.S.`: as one word of letters. */
  private initials(core: string): void {
    this.push('word', core.replaceAll('.', '').toLowerCase(), core === core.toUpperCase() ? 'all' : 'none');
  }

  /** `check-in`, `COVID-19`, `and/or`: each part by itself. */
  private parts(core: string): void {
    let first = true;
    for (const part of core.split(/[-/]/)) {
      const amount = isWord(part) ? undefined : amountOf(part);
      if (amount) for (const [kind, form] of amount) this.push(kind, form, 'none', !first);
      else this.word(part, !first);
      first = false;
    }
  }
}

const isWord = (core: string): boolean => /^\p{L}[\p{L}\p{M}]*(?:'\p{L}+)*'?$/u.test(core);

function capitalOf(core: string): Piece['capital'] {
  const letters = core.replace(/'.*$/, '');
  if (letters === letters.toLowerCase()) return 'none';
  if (letters.length > 1 && letters === letters.toUpperCase()) return 'all';
  return letters.slice(1) === letters.slice(1).toLowerCase() ? 'first' : 'mixed';
}

const openers = '([{<"\'¿¡';
const closers = ')]}>"\'';

/** The signs before, what is meant, and the signs after: a bracket that closes one inside stays. */
function trimmed(chunk: string): [before: string, core: string, after: string] {
  let start = 0;
  let end = chunk.length;
  while (start < end && openers.includes(chunk[start]!) && chunk.length - start > 1) start++;
  for (; end > start; end--) {
    const sign = chunk[end - 1]!;
    if ('.,;:!?…'.includes(sign)) continue;
    if (!closers.includes(sign) || isPaired(chunk.slice(start, end - 1), sign)) break;
  }
  // All of it signs, such as an operator: as it stands, without the stop that may follow.
  return [chunk.slice(0, start), chunk.slice(start, end), chunk.slice(end)];
}

const pairs: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{', '>': '<' };
const isPaired = (inside: string, closer: string): boolean => closer in pairs && inside.includes(pairs[closer]!);

type Amount = readonly (readonly ['number' | 'word', string])[];

const currencies: Readonly<Record<string, string>> = {
  $: 'dollar',
  '€': 'euro',
  '£': 'gbp',
  '¥': 'yen',
  '₹': 'rupee',
  '₽': 'rouble',
};
const shape = /^([$€£¥₹₽#~+-]?)(\d+(?:,\d{3})*(?:[.:]\d+)*)(?:(st|nd|rd|th|s|k|bn|mn)|([a-zA-Zµ]{1,4}|[%$€£¥₹₽]|°[CF]?))?$/;

/** `$50`, `10,000`, `2.5`, `3rd`, `10k`, `5kg`, `50%`, `18:00`: the number and its unit, or nothing. */
function amountOf(core: string): Amount | undefined {
  const found = shape.exec(core);
  if (!found) return undefined;
  const [, sign = '', digits = '', suffix, unit] = found;
  const value = digits.replaceAll(',', '');
  const currency = currencies[sign];
  if (unit !== undefined && /^[A-Z]/.test(unit) && !/^(?:[KMGTP]i?B|[CFVWAMKN]|[kMG]?Hz|GB|MW|AM|PM|KG|KM|PS)$/.test(unit))
    return undefined;
  if (suffix === undefined && unit !== undefined && /^[a-z]{1,4}$/i.test(unit) && !knownUnit.has(unit.toLowerCase()))
    return undefined;
  const out: (readonly ['number' | 'word', string])[] = [
    ['number', numberForm(sign === '-' ? `-${value}` : value, suffix, unit)],
  ];
  if (currency) out.push(['word', currency]);
  else if (unit !== undefined && unit !== 'M')
    out.push(['word', currencies[unit] ?? (unit === '%' ? 'percent' : unit.toLowerCase())]);
  return out;
}

const knownUnit = new Set(
  'mm cm m km g kg mg lb lbs oz l ml cl dl ft yd mi mph kmh kph s ms h hr hrs min mins am pm gb mb kb tb pb gib mib kib hz khz mhz ghz w kw mw v a ah mah wh kwh pm c f k kn nm pt px em rem b ps bar psi cc ha usd eur gbp'.split(
    ' ',
  ),
);

const factors: Readonly<Record<string, number>> = { k: 1e3, mn: 1e6, M: 1e6, bn: 1e9 };

function numberForm(value: string, suffix: string | undefined, unit: string | undefined): string {
  const factor = factors[suffix ?? ''] ?? (unit === 'M' ? factors.M : undefined);
  if (factor !== undefined) return String(Number(value) * factor);
  if (suffix === 's') return `${value}s`;
  return suffix !== undefined ? `${value}th` : value;
}
