// Puts the pieces of an answer in sequence. OpenAI's wire may interleave the pieces of parallel tool calls; neutral parts follow
// one another (core/chat/reply.ts). A piece of another part than the open one is held back until the open call's arguments are
// whole JSON: until then more of them may come.
import { type Citation, converted } from '#core/chat/citations/citation.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { JsonEnd } from './json-end.ts';

export type TextKind = 'text' | 'thinking' | 'refusal';
export type CallPiece = {
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly json: string;
};

/** `start`: how much of the answer's text was before it. `citations` wait with the pieces. */
type TextRun = {
  readonly kind: TextKind;
  readonly pieces: string[];
  readonly start: number;
  citations: Citation[] | undefined;
};
type Call = {
  readonly kind: 'call';
  /** As the wire numbers it; undefined where it does not. */
  readonly index: number | undefined;
  id: string;
  name: string;
  /** Waiting to be sent. */
  readonly pieces: string[];
  readonly end: JsonEnd;
  state: 'held' | 'open' | 'closed';
};
type Part = TextRun | Call;

const HELD_MAX = 8 * 1024 * 1024;
/** What a piece costs besides its characters, so that many tiny ones count as well. */
const PIECE_COST = 16;
const CALLS_MAX = 1024;

/** One answer's parts in the making. */
export class PartSequence {
  readonly #calls: Call[] = [];
  readonly #held: Part[] = [];
  #heldLength = 0;
  /** Of the answer's text, which citations count through. */
  readonly #measure = new Measure('code-points');
  /** Of a text that is still to come. */
  #uncited: Citation[] | undefined;
  #open: Part | undefined;

  get hasCalls(): boolean {
    return this.#calls.some(isNamed);
  }

  /** More is held back, or more calls have begun, than one answer may have. */
  get isTooMuch(): boolean {
    return this.#heldLength > HELD_MAX || this.#calls.length > CALLS_MAX;
  }

  text(kind: TextKind, text: string): ChatEvent[] {
    if (text === '') return [];
    const start = this.#measure.length;
    if (kind === 'text') this.#measure.add(text);
    if (this.#open?.kind === kind) return [textDelta(kind, text)];
    const last = this.#held.at(-1);
    if (last?.kind === kind) this.#hold(last, text);
    else this.#held.push(this.#hold({ kind, pieces: [], start, citations: this.#citationsOf(kind) }, text));
    return this.#advance();
  }

  /** @param citation its span in code points of all of the answer's text */
  cite(citation: Citation): ChatEvent[] {
    const last = this.#held.at(-1) ?? this.#open;
    if (last?.kind !== 'text') {
      this.#uncited ??= [];
      this.#uncited.push(citation);
      return [];
    }
    if (last === this.#open) return [this.#cited(citation, last)];
    last.citations ??= [];
    last.citations.push(citation);
    return [];
  }

  #citationsOf(kind: TextKind): Citation[] | undefined {
    if (kind !== 'text') return undefined;
    const uncited = this.#uncited;
    this.#uncited = undefined;
    return uncited;
  }

  /** There are citations that no text came for. */
  get hasUncited(): boolean {
    return this.#uncited !== undefined;
  }

  #cited(citation: Citation, { start }: TextRun): ChatEvent {
    const within = (points: number) => {
      const place = this.#measure.placeOf(points);
      return place === undefined || place < start ? undefined : place - start;
    };
    return { kind: 'citation', citation: converted(citation, within) };
  }

  call(piece: CallPiece): ChatEvent[] {
    const call = this.#callOf(piece);
    // White space after the arguments' end, or a mistake: there is no place left for it.
    if (call.state === 'closed') return [];
    call.id ||= piece.id;
    call.name ||= piece.name;
    call.end.feed(piece.json);
    if (call.state === 'open') return [...argumentsDelta(piece.json), ...this.#advance()];
    if (piece.json !== '') this.#hold(call, piece.json);
    return this.#advance();
  }

  /** The answer is over: whatever is held back follows, but for calls that never got a name, and the last part ends. */
  finish(): ChatEvent[] {
    const events: ChatEvent[] = [];
    for (const part of this.#held.splice(0).filter(isNamed)) events.push(...this.#close(), ...this.#begin(part));
    return [...events, ...this.#close()];
  }

  /**
   * Which call a piece belongs to. By its index, unless it has the id and the name of another call (some number every call 0);
   * without an index (Mistral) or with -1: by its id, else it begins a call if it has a name, else it goes on with the last.
   */
  #callOf(piece: CallPiece): Call {
    const known = this.#calls.findLast(call => (piece.index === undefined ? isSame(call, piece) : call.index === piece.index));
    const isAnother = known !== undefined && piece.name !== '' && piece.id !== '' && known.id !== '' && known.id !== piece.id;
    if (known && !isAnother) return known;
    const call: Call = { kind: 'call', index: piece.index, id: '', name: '', pieces: [], end: new JsonEnd(), state: 'held' };
    this.#calls.push(call);
    this.#held.push(call);
    return call;
  }

  #hold(part: Part, piece: string): Part {
    part.pieces.push(piece);
    this.#heldLength += piece.length + PIECE_COST;
    return part;
  }

  /** Opens what is held back as long as the open part is over. */
  #advance(): ChatEvent[] {
    const events: ChatEvent[] = [];
    while (this.#held.length > 0 && isOver(this.#open)) {
      const next = this.#held[0] as Part;
      if (!isNamed(next)) break;
      this.#held.shift();
      events.push(...this.#close(), ...this.#begin(next));
    }
    return events;
  }

  #begin(part: Part): ChatEvent[] {
    this.#open = part;
    const pieces = part.pieces.splice(0);
    for (const piece of pieces) this.#heldLength -= piece.length + PIECE_COST;
    if (part.kind !== 'call')
      return [
        { kind: `${part.kind}-start` },
        ...pieces.map(piece => textDelta(part.kind, piece)),
        ...(part.citations ?? []).map(citation => this.#cited(citation, part)),
      ];
    part.state = 'open';
    // Nobody but OpenAI promises an id, and without one the result could not say what it answers.
    part.id ||= `call_${this.#calls.indexOf(part)}`;
    return [{ kind: 'tool-call-start', id: part.id, name: part.name }, ...pieces.flatMap(argumentsDelta)];
  }

  #close(): ChatEvent[] {
    if (!this.#open) return [];
    if (this.#open.kind === 'call') this.#open.state = 'closed';
    this.#open = undefined;
    return [{ kind: 'part-end' }];
  }
}

const isSame = (call: Call, piece: CallPiece): boolean => (piece.id === '' ? piece.name === '' : call.id === piece.id);
const isNamed = (part: Part): boolean => part.kind !== 'call' || part.name !== '';
const isOver = (part: Part | undefined): boolean => part?.kind !== 'call' || part.end.isReached;
const textDelta = (kind: TextKind, text: string): ChatEvent => ({ kind: `${kind}-delta`, text });
const argumentsDelta = (json: string): ChatEvent[] => (json === '' ? [] : [{ kind: 'tool-call-delta', json }]);
