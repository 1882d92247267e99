// An event of a streamed answer, or a whole answer, with the words in it where they stand: some may be changed, all other bytes stay.
import { choicesFinishedIn, type TextAt, textsOfAnswer } from '#core/chat/texts.ts';
import { type Splice, splicedText, textOfString } from '#core/json/strings.ts';
import { framesOf, type SseFrame } from '../http/sse.ts';

export class Words {
  readonly at: TextAt;
  readonly #was: string;
  text: string;

  constructor(json: string, at: TextAt) {
    this.at = at;
    this.text = textOfString(json, at.start, at.end);
    this.#was = this.text;
  }

  get splice(): Splice[] {
    const { start, end } = this.at;
    return this.text === this.#was ? [] : [{ start, end, text: JSON.stringify(this.text) }];
  }
}

/** The end of a stream of OpenAI's. */
const DONE = '[DONE]';

export class Frame {
  readonly words: readonly Words[];
  readonly #raw: Buffer;
  readonly #json: string;
  /** The event's name; undefined: a whole answer. */
  readonly #event: string | undefined;
  readonly #probabilities: Splice[] = [];
  /** What its words were made of is not told. */
  hidesProbabilities = false;

  private constructor(raw: Buffer, json: string, event?: string) {
    this.#raw = raw;
    this.#json = json;
    this.#event = event;
    const take = (start: number, end: number) =>
      this.#probabilities.push({ start, end, text: json[start] === '[' ? '[]' : 'null' });
    this.words = json === '' ? [] : textsOfAnswer(json, event ?? '', take).map(at => new Words(json, at));
  }

  /** Those of a chunk of whole frames. */
  static ofStream(chunk: Buffer | string): Frame[] {
    return framesOf(Buffer.from(chunk as string)).map(Frame.#ofEvent);
  }

  static ofWhole(body: Buffer | string): Frame {
    const raw = Buffer.from(body as string);
    return new Frame(raw, raw.toString());
  }

  static #ofEvent({ raw, message }: SseFrame): Frame {
    const json = message?.data.trim() ?? '';
    return /^[{[]/.test(json) && json !== DONE ? new Frame(raw, json, message?.event) : new Frame(raw, '');
  }

  /** Choices of a streamed answer that have all their words, each as the places of its words begin. */
  get finished(): readonly string[] {
    return choicesFinishedIn(this.#json);
  }

  get size(): number {
    return this.#raw.length;
  }

  /** For the client: as they came, where nothing was changed. */
  bytes(): Buffer {
    const splices = [...this.words.flatMap(({ splice }) => splice), ...(this.hidesProbabilities ? this.#probabilities : [])];
    if (splices.length === 0) return this.#raw;
    splices.sort((a, b) => a.start - b.start);
    const json = splicedText(this.#json, splices);
    if (this.#event === undefined) return Buffer.from(json);
    const name = this.#event === '' ? '' : `event: ${this.#event}\n`;
    return Buffer.from(`${name}data: ${json.replaceAll('\n', '\ndata: ')}\n\n`);
  }
}
