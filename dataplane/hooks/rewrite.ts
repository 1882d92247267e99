// Finds things in the words of an answer as it passes by, and puts others in their place, or forbids the answer for them. What is found may
// be spread over many events: those that it may still be in wait, all others go on at once.
import { Quotes } from '#core/json/quotes.ts';
import { Finder, type Found, findAll, type Wanted } from '#core/sensitive/finder.ts';
import type { Frame, Words } from './frame.ts';
import { replacedWords } from './replaced-words.ts';
import type { Next, Stage } from './stage.ts';

export type Rewriting<K> = {
  readonly wanted: readonly Wanted<K>[];
  /** @returns what stands in its place; undefined: the answer is forbidden */
  readonly by: (found: Found<K>) => string | undefined;
  /** Probabilities of tokens would tell what is replaced. */
  readonly hidesProbabilities: boolean;
  /** All of the answer was looked at. */
  readonly onEnd?: () => void;
};

/** Events with words of other texts of the same choice, until one that does not go on is taken to be over. */
const IDLE_EVENTS = 16;
/** Of several, each goes on at its own pace. */
const CHOICE = /^(choices|candidates)\[\d+\]/;

const choiceOf = (place: string): string => CHOICE.exec(place)?.[0] ?? '';

type Waiting = { readonly frame: Frame; undecided: number };

export class RewriteStage<K> implements Stage {
  readonly isBehind = false;
  readonly #how: Rewriting<K>;
  readonly #next: Next;
  readonly #waiting: Waiting[] = [];
  readonly #texts = new Map<string, RunningText<K>>();
  /** Forbidden: nothing comes out any more. */
  #isOver = false;

  constructor(how: Rewriting<K>, next: Next) {
    this.#how = how;
    this.#next = next;
  }

  push(frame: Frame): void {
    frame.hidesProbabilities ||= this.#how.hidesProbabilities;
    const waiting = { frame, undecided: 0 };
    this.#waiting.push(waiting);
    const here = new Set<string>();
    for (const words of frame.words) {
      if (words.at.isPiece) this.#piece(waiting, words, here);
      else words.text = this.#rewritten(words);
    }
    if (here.size > 0) this.#endIdle(here);
    if (this.#hasSeveralChoices) for (const choice of frame.finished) this.#endChoice(choice);
    this.#release();
  }

  end(): void {
    for (const text of this.#texts.values()) text.end();
    this.#texts.clear();
    this.#release();
    if (this.#isOver) return;
    this.#how.onEnd?.();
    this.#next.end();
  }

  cut(): void {
    this.#isOver = true;
  }

  #piece(waiting: Waiting, words: Words, here: Set<string>): void {
    const { place } = words.at;
    here.add(place);
    const text =
      this.#texts.get(place) ?? new RunningText(choiceOf(place), words.at.isJson, this.#how.wanted, found => this.#by(found));
    this.#texts.set(place, text);
    text.push(waiting, words);
  }

  /** Words that stand alone. */
  #rewritten(words: Words): string {
    const found = findAll(words.text, this.#how.wanted);
    return found.length === 0 ? words.text : replacedWords(words.text, found, words.at.isJson, one => this.#by(one));
  }

  #by(found: Found<K>): string {
    const text = this.#how.by(found);
    this.#isOver ||= text === undefined;
    return text ?? '';
  }

  #endIdle(here: ReadonlySet<string>): void {
    const choices = new Set([...here].map(choiceOf));
    for (const [place, text] of this.#texts) {
      if (here.has(place)) text.idle = 0;
      else if (choices.has(text.choice) && ++text.idle === IDLE_EVENTS) this.#end(place, text);
    }
  }

  /** Of one alone, the end of the stream is the end, whatever its provider says of it before. */
  get #hasSeveralChoices(): boolean {
    return new Set(Array.from(this.#texts.values(), ({ choice }) => choice)).size > 1;
  }

  #endChoice(choice: string): void {
    for (const [place, text] of this.#texts) if (text.choice === choice) this.#end(place, text);
  }

  #end(place: string, text: RunningText<K>): void {
    text.end();
    this.#texts.delete(place);
  }

  #release(): void {
    while (!this.#isOver && this.#waiting[0]?.undecided === 0) this.#next.push(this.#waiting.shift()!.frame);
  }
}

type Piece = { readonly waiting: Waiting; readonly words: Words; readonly start: number; readonly end: number };

/** One text, in pieces of many events. */
class RunningText<K> {
  readonly choice: string;
  readonly #finder: Finder<K>;
  readonly #by: (found: Found<K>) => string;
  /** Of a text in JSON. */
  readonly #quotes: Quotes | undefined;
  readonly #pieces: Piece[] = [];
  /** What was found, and may reach into pieces that are not decided yet. */
  #found: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  #length = 0;
  idle = 0;

  constructor(choice: string, isJson: boolean, wanted: readonly Wanted<K>[], by: (found: Found<K>) => string) {
    this.choice = choice;
    this.#quotes = isJson ? new Quotes() : undefined;
    this.#finder = new Finder(wanted);
    this.#by = by;
  }

  push(waiting: Waiting, words: Words): void {
    const start = this.#length;
    this.#length += words.text.length;
    this.#pieces.push({ waiting, words, start, end: this.#length });
    waiting.undecided++;
    this.#quotes?.push(words.text);
    this.#note(this.#finder.push(words.text));
  }

  end(): void {
    this.#note(this.#finder.end());
  }

  #note(found: readonly Found<K>[]): void {
    for (const one of found) {
      const text = this.#by(one);
      this.#found.push({ start: one.start, end: one.end, text: this.#quotes?.writtenAt(one.start, text) ?? text });
    }
    this.#quotes?.isOpenAt(this.#finder.decided);
    while (this.#pieces.length > 0 && this.#pieces[0]!.end <= this.#finder.decided) this.#decide(this.#pieces.shift()!);
  }

  #decide({ waiting, words, start, end }: Piece): void {
    waiting.undecided--;
    this.#found = this.#found.filter(one => one.end > start);
    const here = this.#found.filter(one => one.start < end);
    if (here.length === 0) return;
    let text = '';
    let from = start;
    for (const one of here) {
      text += words.text.slice(from - start, Math.max(0, one.start - start));
      // What reaches in from an earlier piece stands there.
      if (one.start >= start) text += one.text;
      from = Math.min(end, one.end);
    }
    words.text = text + words.text.slice(from - start);
  }
}
