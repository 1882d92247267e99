// Server-sent events on bytes, by the rules of WHATWG's "Interpreting an event stream": a stream is cut into blocks of whole
// frames (a frame ends with a blank line), so that what passes through unchanged is never decoded and what is decoded never
// ends inside a UTF-8 sequence.
import type { SseMessage } from '#dataplane/providers/provider.ts';

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** A tail that grew beyond this gives its memory back once its frame is complete. */
const KEPT_CAPACITY = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** Cuts a stream into blocks. The byte order mark that may open a stream is left out: it belongs to no frame. */
export class SseBlocks {
  readonly #limit: number;
  /** The bytes since the last blank line are the first `#length` of `#tail`, which doubles when it is full. */
  #tail = NOTHING;
  #length = 0;
  #started = false;

  /** Of a frame that is not complete, at most `limitBytes` are kept. */
  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** All bytes up to the last blank line, if there is one. After 'too-long' the stream cannot be read any further. */
  push(chunk: Buffer): Buffer | undefined | 'too-long' {
    if (!this.#started) return this.#start(chunk);
    const end = this.#endOfLastFrame(chunk);
    const block = end > 0 ? this.#take(chunk, end) : undefined;
    if (this.#length + chunk.length - end > this.#limit) return 'too-long';
    if (end < chunk.length) this.#keep(chunk.subarray(end));
    return block;
  }

  /** The bytes of a frame that is not complete yet; valid until the next `push`. */
  rest(): Buffer {
    return this.#tail.subarray(0, this.#length);
  }

  #start(chunk: Buffer): Buffer | undefined | 'too-long' {
    const head = this.#take(chunk, chunk.length);
    if (head.length < 3 && BYTE_ORDER_MARK.subarray(0, head.length).equals(head)) {
      this.#keep(head);
      return undefined;
    }
    this.#started = true;
    return this.push(BYTE_ORDER_MARK.equals(head.subarray(0, 3)) ? head.subarray(3) : head);
  }

  /** 0 when no frame ends in the chunk. Backwards, because most chunks end where a frame ends. */
  #endOfLastFrame(chunk: Buffer): number {
    for (let at = chunk.length - 1; at >= 0; at--) {
      const c = chunk[at];
      if ((c === LF || c === CR) && this.#endsEmptyLine(chunk, at)) return at + 1;
    }
    return 0;
  }

  /** CR LF is one line ending; each of the two alone is one as well. */
  #endsEmptyLine(chunk: Buffer, at: number): boolean {
    let before = this.#byteAt(chunk, at - 1);
    if (chunk[at] === LF && before === CR) before = this.#byteAt(chunk, at - 2);
    return before === LF || before === CR;
  }

  /** A byte of the chunk, of the tail before it, or, before that, the line ending after which every frame begins. */
  #byteAt(chunk: Buffer, at: number): number | undefined {
    if (at >= 0) return chunk[at];
    return this.#length + at >= 0 ? this.#tail[this.#length + at] : LF;
  }

  /** The tail and the chunk up to `end`; the chunk itself where that is all. */
  #take(chunk: Buffer, end: number): Buffer {
    const part = end === chunk.length ? chunk : chunk.subarray(0, end);
    if (this.#length === 0) return part;
    const whole = Buffer.concat([this.rest(), part]);
    this.#length = 0;
    if (this.#tail.length > KEPT_CAPACITY) this.#tail = NOTHING;
    return whole;
  }

  #keep(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#tail.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, length, this.#tail.length * 2));
      this.#tail.copy(grown, 0, 0, this.#length);
      this.#tail = grown;
    }
    bytes.copy(this.#tail, this.#length);
    this.#length = length;
  }
}

/** The bytes of one frame, blank line included, and what it dispatches: nothing for a comment or a lone `event:` line. */
export type SseFrame = { readonly raw: Buffer; readonly message: SseMessage | undefined };

/** The frames of a block: all its bytes, in order. Bytes after the last blank line dispatch nothing. */
export function framesOf(block: Buffer): SseFrame[] {
  const frames: SseFrame[] = [];
  const endOfFrame = block.includes(CR) ? endOfFrameWithCR : endOfPlainFrame;
  for (let start = 0; start < block.length; ) {
    const end = endOfFrame(block, start);
    const raw = block.subarray(start, end);
    frames.push({ raw, message: messageOf(raw.toString()) });
    start = end;
  }
  return frames;
}

/** What the frames of a block dispatch. */
export const messagesOf = (block: Buffer): SseMessage[] => framesOf(block).flatMap(frame => frame.message ?? []);

/** The usual case: all lines end with LF alone, which native searches find. */
function endOfPlainFrame(block: Buffer, start: number): number {
  for (let lineStart = start; ; ) {
    const lineEnd = block.indexOf(LF, lineStart);
    if (lineEnd < 0) return block.length;
    if (lineEnd === lineStart) return lineEnd + 1;
    lineStart = lineEnd + 1;
  }
}

function endOfFrameWithCR(block: Buffer, start: number): number {
  let lineIsEmpty = true;
  for (let at = start; at < block.length; at++) {
    const c = block[at];
    if (c !== LF && c !== CR) {
      lineIsEmpty = false;
      continue;
    }
    if (c === CR && block[at + 1] === LF) at++;
    if (lineIsEmpty) return at + 1;
    lineIsEmpty = true;
  }
  return block.length;
}

function messageOf(frame: string): SseMessage | undefined {
  const lines = frame.includes('\r') ? frame.split(/\r\n?|\n/) : frame.split('\n');
  const unterminated = lines.pop();
  const blank = lines.pop();
  if (unterminated !== '' || blank !== '') return undefined;
  let event = '';
  let data: string | undefined;
  for (const line of lines) {
    const [field, value] = fieldOf(line);
    if (field === 'event') event = value;
    else if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
  }
  return data === undefined ? undefined : { event, data };
}

/** A comment has the empty name. `id` and `retry` mean nothing here: no stream of a provider is ever resumed by them. */
function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  return [line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)];
}
