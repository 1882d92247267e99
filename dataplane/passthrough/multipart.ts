// Reads a multipart form (RFC 7578) as it arrives: small fields by name, where the model's name stands, how many files there are. Strict,
// because what is checked here must be what the provider reads: it never builds the parts, and never holds more than a line of them.
import { ok, type Parsed, refuse } from '#core/failure.ts';

/** Offsets into the whole body. */
export type Span = { readonly start: number; readonly end: number };

export type FormField = { readonly value: string; readonly at: Span };

const HEAD_BYTES_MAX = 8 * 1024;
const FIELD_BYTES_MAX = 1024 * 1024;
const FIELDS_BYTES_MAX = 4 * 1024 * 1024;
const PARTS_MAX = 1000;

const CRLF2 = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

/** Of RFC 2046: 1 to 70 characters, none of which needs quoting twice. */
const BOUNDARY = /^[\w'()+,./:=?-]{1,70}$/;

export function boundaryOf(contentType: string): Parsed<string> {
  const [type = '', ...parameters] = contentType.split(';').map(part => part.trim());
  const boundaries = parameters.flatMap(text => /^boundary=(?:"([^"\\]*)"|(.*))$/i.exec(text) ?? []);
  const boundary = boundaries[1] ?? boundaries[2] ?? '';
  // Two of them would be read differently by somebody.
  if (type.toLowerCase() === 'multipart/form-data' && boundaries.length === 3 && BOUNDARY.test(boundary)) return ok(boundary);
  return refuse('unsupported_media_type', { message: 'The request body must be multipart/form-data with one boundary.' });
}

type Part = { readonly name: string; readonly isFile: boolean; readonly start: number; bytes: Buffer[]; size: number };

export type ReaderOptions = {
  /** Fields that decide about the request must not come after it was decided about. */
  readonly mayHave: (name: string) => boolean;
  /** Told the bytes of files, as they come. */
  readonly file: (bytes: Buffer) => void;
};

/** What a `push` found wrong, where it did. */
export type Objection = string | undefined;

export class MultipartReader {
  readonly fields = new Map<string, FormField[]>();
  readonly #delimiter: Buffer;
  readonly #mayHave: ReaderOptions['mayHave'];
  readonly #onFile: ReaderOptions['file'];
  #carry: Buffer = NOTHING;
  /** Where the carry begins in the body. */
  #at = 0;
  #phase: 'start' | 'head' | 'content' | 'end' = 'start';
  #part: Part | undefined;
  #parts = 0;
  #fieldBytes = 0;
  files = 0;
  /** Bytes in files, as far as they have come. */
  fileBytes = 0;

  constructor(boundary: string, { mayHave, file }: ReaderOptions = { mayHave: () => true, file: () => {} }) {
    this.#mayHave = mayHave;
    this.#onFile = file;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
  }

  /** The closing delimiter was there. */
  get isWhole(): boolean {
    return this.#phase === 'end';
  }

  push(chunk: Buffer): Objection {
    this.#carry = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    for (;;) {
      const [at, phase] = [this.#at, this.#phase];
      const objection = this.#step();
      if (objection !== undefined) return objection;
      if (this.#at === at && this.#phase === phase) return undefined;
    }
  }

  #step(): Objection {
    switch (this.#phase) {
      case 'start':
        return this.#open();
      case 'head':
        return this.#head();
      case 'content':
        return this.#content();
      case 'end':
        return this.#epilogue();
    }
  }

  /** White space alone: some readers look for further parts behind the last delimiter. */
  #epilogue(): Objection {
    return /^[\r\n\t ]*$/.test(this.#take(this.#carry.length).toString('latin1')) ? undefined : 'nothing may follow its end';
  }

  #take(count: number): Buffer {
    const taken = this.#carry.subarray(0, count);
    this.#carry = this.#carry.subarray(count);
    this.#at += count;
    return taken;
  }

  /** The first delimiter stands at the very beginning. */
  #open(): Objection {
    const first = this.#delimiter.subarray(2);
    const seen = Math.min(first.length, this.#carry.length);
    if (!this.#carry.subarray(0, seen).equals(first.subarray(0, seen))) return 'it must begin with its boundary';
    if (seen === first.length) {
      this.#take(seen);
      this.#phase = 'head';
    }
    return undefined;
  }

  /** From behind a delimiter: its end of line, the headers and the empty line after them; or the two dashes of the last one. */
  #head(): Objection {
    if (this.#carry.length < 2) return undefined;
    if (this.#carry[0] === DASH && this.#carry[1] === DASH) {
      this.#take(2);
      this.#phase = 'end';
      return undefined;
    }
    const end = this.#carry.indexOf(CRLF2);
    if (end < 0) return this.#carry.length > HEAD_BYTES_MAX ? 'the headers of a part are too long' : undefined;
    if (end > HEAD_BYTES_MAX) return 'the headers of a part are too long';
    if (this.#carry[0] !== CR || this.#carry[1] !== LF) return 'a boundary must end its line';
    const lines = this.#take(end + CRLF2.length)
      .subarray(2, end)
      .toString('latin1')
      .split('\r\n');
    return this.#begin(lines);
  }

  #begin(lines: readonly string[]): Objection {
    if (++this.#parts > PARTS_MAX) return `it may have at most ${PARTS_MAX} parts`;
    // A lone end of line, a line that goes on with the one before: readers differ about those as well.
    if (!lines.every(line => HEADER.test(line))) return 'each header of a part must be one plain line';
    const dispositions = lines.flatMap(line => /^content-disposition:(.*)$/i.exec(line)?.[1] ?? []);
    const disposition = dispositions[0];
    if (disposition === undefined || dispositions.length > 1) return 'each part must have one Content-Disposition';
    const parameters = parametersOf(disposition);
    const name = parameters?.get('name');
    if (parameters === undefined || name === undefined) return 'each part must have one plain name';
    if (lines.some(line => /^content-transfer-encoding:/i.test(line))) return 'parts must not be encoded';
    const isFile = parameters.has('filename') || parameters.has('filename*');
    if (isFile) this.files++;
    this.#part = { name, isFile, start: this.#at, bytes: [], size: 0 };
    this.#phase = 'content';
    return undefined;
  }

  #content(): Objection {
    const end = this.#carry.indexOf(this.#delimiter);
    if (end >= 0) {
      const objection = this.#more(this.#take(end));
      this.#take(this.#delimiter.length);
      this.#phase = 'head';
      return objection ?? this.#close(this.#at - this.#delimiter.length);
    }
    // What may be the beginning of a delimiter stays.
    const sure = this.#carry.length - this.#delimiter.length + 1;
    return sure > 0 ? this.#more(this.#take(sure)) : undefined;
  }

  #more(bytes: Buffer): Objection {
    const part = this.#part!;
    if (part.isFile) {
      this.fileBytes += bytes.length;
      this.#onFile(bytes);
      return undefined;
    }
    part.size += bytes.length;
    this.#fieldBytes += bytes.length;
    if (part.size > FIELD_BYTES_MAX || this.#fieldBytes > FIELDS_BYTES_MAX) return `the field '${part.name}' is too long`;
    part.bytes.push(bytes);
    return undefined;
  }

  #close(end: number): Objection {
    const { name, isFile, start, bytes } = this.#part!;
    this.#part = undefined;
    if (isFile) return isModel(name) ? "the field 'model' must be a text" : undefined;
    if (!this.#mayHave(name)) return `the field '${name}' has no place in a form here`;
    const known = this.fields.get(name) ?? [];
    if (isModel(name) && (name !== 'model' || known.length > 0)) return "there must be one field 'model'";
    this.fields.set(name, [...known, { value: Buffer.concat(bytes).toString(), at: { start, end } }]);
    return undefined;
  }
}

const [CR, LF, DASH] = [0x0d, 0x0a, 0x2d] as const;

/** Of RFC 9110: a name, a colon, and no control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const HEADER = /^[\w!#$%&'*+.^`|~-]+:[^\x00-\x08\x0a-\x1f\x7f]*$/;

const PARAMETER = /\s*;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";\\]*))/y;
const PLAIN = /^[^"\\%]+$/;

/** Each name once, and that of the field without escapes and percent signs: readers differ about those. undefined: it is not so. */
function parametersOf(disposition: string): ReadonlyMap<string, string> | undefined {
  const [type = ''] = /^\s*form-data\b/i.exec(disposition) ?? [];
  const found = new Map<string, string>();
  PARAMETER.lastIndex = type.length;
  let end = type.length;
  for (let match = PARAMETER.exec(disposition); match; match = PARAMETER.exec(disposition)) {
    const [name, value] = [match[1]!.toLowerCase(), match[2] ?? match[3]!];
    if (found.has(name) || (name.startsWith('name') && !(name === 'name' && PLAIN.test(value)))) return undefined;
    found.set(name, value);
    end = PARAMETER.lastIndex;
  }
  return type !== '' && disposition.slice(end).trim() === '' ? found : undefined;
}

/** Whatever some reader may take for it. */
const isModel = (name: string): boolean => name.trim().toLowerCase().replace(/\[\]$/, '') === 'model';
