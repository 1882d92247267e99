// A hook over HTTP at an answer that passes by. It decides about windows of a stream, each before it goes on, or about all that was held;
// or it only listens, and is told when all has gone by.
import type { Failure } from '#core/failure.ts';
import type { Answer, Replacement } from './ask.ts';
import type { Frame } from './frame.ts';
import { MAX_HELD_BYTES } from './hold-stage.ts';
import { SpokenWords, type ToldText } from './spoken-words.ts';
import type { Deny, Next, Stage } from './stage.ts';

/** What a hook is told of an answer. */
export type ToldAnswer = {
  readonly texts: readonly ToldText[];
  /** Nothing comes after it. */
  readonly isLast: boolean;
  /** How many windows came before it. */
  readonly window: number;
  /** It broke off, or its client left: it has no end. */
  readonly wasCut: boolean;
};

export type Deciding = {
  /** What it puts in their place fits: as many texts. */
  readonly ask: (answer: ToldAnswer) => Promise<Answer>;
  /** Why the answer must not go on; undefined: it may. */
  readonly refusalOf: (answer: Exclude<Answer, Replacement>) => Failure | undefined;
  /** Its words may be replaced: the hook sees all of them at once. */
  readonly seesAll: boolean;
  /** Characters. */
  readonly window: number;
  /** It took another piece: who sends may go on. */
  readonly onProgress: () => void;
};

/** Frames that wait for a verdict, before the one who sends is asked to wait. */
const BEHIND_BYTES = 256 * 1024;

export class AskStage implements Stage {
  readonly #how: Deciding;
  readonly #next: Next;
  readonly #deny: Deny;
  #held: Frame[] = [];
  #heldBytes = 0;
  #words = new SpokenWords();
  #windows = 0;
  /** The end of each text that has gone on. */
  readonly #before = new Map<string, string>();
  #isAsking = false;
  #hasEnded = false;
  #isOver = false;

  constructor(how: Deciding, next: Next, deny: Deny) {
    this.#how = how;
    this.#next = next;
    this.#deny = deny;
  }

  get isBehind(): boolean {
    return this.#isAsking && this.#heldBytes > BEHIND_BYTES;
  }

  push(frame: Frame): void {
    if (this.#isOver) return;
    this.#held.push(frame);
    this.#heldBytes += frame.size;
    this.#words.add(frame);
    if (!this.#isAsking && this.#heldBytes > MAX_HELD_BYTES) this.#tooLarge();
    else this.#askIfDue();
  }

  end(): void {
    this.#hasEnded = true;
    this.#askIfDue();
  }

  cut(): void {
    this.#isOver = true;
  }

  /** What nobody can be asked about is as if the hook had failed; where that is allowed, it goes on unchecked. */
  #tooLarge(): void {
    const refusal = this.#how.refusalOf({ kind: 'failed', why: 'too_large' });
    if (refusal) return this.#refuse(refusal);
    const held = this.#takeHeld();
    for (const frame of held.frames) this.#next.push(frame);
  }

  #takeHeld(): { readonly frames: readonly Frame[]; readonly words: SpokenWords } {
    const held = { frames: this.#held, words: this.#words };
    this.#held = [];
    this.#heldBytes = 0;
    this.#words = new SpokenWords();
    return held;
  }

  #askIfDue(): void {
    if (this.#isOver || this.#isAsking) return;
    const { seesAll, window } = this.#how;
    const isFull = !seesAll && this.#words.characters >= window;
    if (isFull || this.#hasEnded) void this.#check();
  }

  async #check(): Promise<void> {
    const { frames, words } = this.#takeHeld();
    const isLast = this.#hasEnded;
    // The last is told of also where there are no words left: who sees windows waits for their end.
    if (words.characters > 0 || isLast) {
      this.#isAsking = true;
      const texts = words.texts().map(text => this.#withContext(text));
      const answer = await this.#how.ask({ texts, isLast, window: this.#windows++, wasCut: false });
      this.#isAsking = false;
      if (this.#isOver) return;
      const refusal = answer.kind === 'replace' ? undefined : this.#how.refusalOf(answer);
      if (refusal) return this.#refuse(refusal);
      const isChanged = answer.kind === 'replace' && 'texts' in answer && words.replace(answer.texts);
      if (isChanged) for (const frame of frames) frame.hidesProbabilities = true;
    }
    for (const frame of frames) this.#next.push(frame);
    if (!isLast) {
      this.#how.onProgress();
      this.#askIfDue();
    } else this.#next.end();
  }

  /** What a window of a stream goes on with. */
  #withContext(text: ToldText): ToldText {
    if (this.#how.seesAll) return text;
    const before = this.#before.get(text.at) ?? '';
    this.#before.set(text.at, (before + text.text).slice(-this.#how.window));
    return before === '' ? text : { ...text, before };
  }

  #refuse(reason: Failure): void {
    this.#isOver = true;
    this.#takeHeld();
    this.#deny(reason);
  }
}

export class ListenStage implements Stage {
  readonly isBehind = false;
  readonly #tell: (answer: ToldAnswer) => void;
  readonly #next: Next;
  readonly #maxBytes: number;
  readonly #words = new SpokenWords();
  #isTold = false;

  /** @param maxBytes words beyond that are not kept */
  constructor(tell: (answer: ToldAnswer) => void, maxBytes: number, next: Next) {
    this.#tell = tell;
    this.#maxBytes = maxBytes;
    this.#next = next;
  }

  push(frame: Frame): void {
    if (this.#words.characters <= this.#maxBytes) this.#words.add(frame);
    this.#next.push(frame);
  }

  end(): void {
    this.#tellOnce(false);
    this.#next.end();
  }

  cut(): void {
    this.#tellOnce(true);
  }

  #tellOnce(wasCut: boolean): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#tell({ texts: this.#words.texts(), isLast: true, window: 0, wasCut });
  }
}
