// The client as the loop sees it on a route whose hooks look at answers: whatever would be sent, by an attempt, from the cache or by a
// cascade, goes through the hooks first.
import { type Failure, failure } from '#core/failure.ts';
import type { Client } from '../exchange.ts';
import type { ClientListener } from '../http/client-response.ts';
import { Frame } from './frame.ts';
import type { Deny, Next, Stage } from './stage.ts';

export type Guard = {
  /** The hooks, the first one first, of an answer that is whole, or of a stream; none: it goes on as it is. */
  readonly stages: (isWhole: boolean, next: Next, deny: Deny, onProgress: () => void) => readonly Stage[];
  /** Nothing of a stream is sent before all of it was checked. */
  readonly holdsStream: boolean;
  /** Answers with a failure, in the client's dialect. */
  readonly refuse: (client: Client, reason: Failure) => void;
};

export class GuardedClient implements Client {
  readonly #client: Client;
  readonly #guard: Guard;
  readonly #over: Promise<void>;
  #resolveOver: () => void = () => {};
  #stages: readonly Stage[] = [];
  #listener: ClientListener | undefined;
  /** Of a stream that is held. */
  #head: string[] | undefined;
  #hasBegun = false;
  /** Why it must not be sent. */
  denial: Failure | undefined;

  constructor(client: Client, guard: Guard) {
    this.#client = client;
    this.#guard = guard;
    this.#over = new Promise(resolve => {
      this.#resolveOver = resolve;
    });
  }

  /** When nothing is left to be checked. */
  async checked(): Promise<void> {
    if (!this.#hasBegun || this.#client.gone) return this.#cut();
    this.#listen();
    await this.#over;
  }

  get gone(): boolean {
    return this.denial !== undefined || this.#client.gone;
  }

  get began(): boolean {
    return this.#hasBegun || this.#client.began;
  }

  get status(): number {
    return this.#client.status;
  }

  get isOver(): boolean {
    return this.#client.isOver;
  }

  set listener(listener: ClientListener | undefined) {
    this.#listener = listener;
    this.#listen();
    if (this.denial) listener?.clientLeft();
  }

  /** Also while no attempt listens: hooks may still think when the answer has come. */
  #listen(): void {
    this.#client.listener = this.#ear;
  }

  readonly #ear: ClientListener = {
    clientLeft: () => {
      this.#cut();
      this.#listener?.clientLeft();
    },
    clientDrained: () => {
      this.#keepsUp = true;
      this.#listener?.clientDrained();
    },
  };

  connectionClosed(): void {
    this.#client.connectionClosed();
  }

  async stays(ms: number): Promise<boolean> {
    const isHere = await this.#client.stays(ms);
    this.#listen();
    return isHere;
  }

  // ------------------------------------------------------------ a whole answer

  whole(status: number, headers: string[], body: Buffer | string): void {
    if (status !== 200) return this.#client.whole(status, headers, body);
    if (this.began || this.gone) return;
    this.#hasBegun = true;
    let checked: Frame | undefined;
    this.#stages = this.#open(true, {
      push(frame) {
        checked = frame;
      },
      end: () => this.#sendWhole(headers, checked!.bytes()),
    });
    const [first] = this.#stages;
    if (!first) return this.#sendWhole(headers, body);
    const [frame] = this.#readable(() => [Frame.ofWhole(body)]);
    if (!frame) return;
    first.push(frame);
    first.end();
  }

  #sendWhole(headers: string[], body: Buffer | string): void {
    if (this.denial) return;
    this.#client.whole(200, headers, body);
    this.#resolveOver();
  }

  // ------------------------------------------------------------ a stream

  startStream(headers: string[]): void {
    if (this.began || this.gone) return;
    this.#hasBegun = true;
    if (this.#guard.holdsStream) this.#head = headers;
    else this.#client.startStream(headers);
    this.#stages = this.#open(false, { push: frame => this.#send(frame), end: () => this.#endStream() });
  }

  startBytes(headers: string[]): void {
    this.#client.startBytes(headers);
  }

  write(chunk: Buffer | string): boolean {
    if (this.gone) return true;
    const [first] = this.#stages;
    if (!first) return this.#client.write(chunk);
    for (const frame of this.#readable(() => Frame.ofStream(chunk))) if (!this.denial) first.push(frame);
    return this.#keepsUp && !this.#stages.some(stage => stage.isBehind);
  }

  endStream(): void {
    if (this.gone) return;
    const [first] = this.#stages;
    if (first) first.end();
    else this.#endStream();
  }

  heartbeat(): void {
    this.#startHeld();
    this.#client.heartbeat();
  }

  /** What waits for more, or for a verdict, is not sent: nobody has allowed it. */
  breakOff(error: string): void {
    this.#cut();
    this.#startHeld();
    this.#client.breakOff(error);
  }

  #keepsUp = true;

  /** None where it is no JSON: what cannot be read, nobody can allow. */
  #readable(read: () => readonly Frame[]): readonly Frame[] {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#deny(failure('hook_failed', { message: 'The answer is no JSON that a check could read.' }));
      return [];
    }
  }

  #send(frame: Frame): void {
    if (this.denial) return;
    this.#startHeld();
    this.#keepsUp = this.#client.write(frame.bytes());
  }

  #endStream(): void {
    if (this.denial) return;
    this.#startHeld();
    this.#client.endStream();
    this.#resolveOver();
  }

  #startHeld(): void {
    if (!this.#head) return;
    this.#client.startStream(this.#head);
    this.#head = undefined;
  }

  // ------------------------------------------------------------ verdicts

  #open(isWhole: boolean, client: Next): readonly Stage[] {
    const progress = () => this.#listener?.clientDrained();
    return this.#guard.stages(isWhole, client, reason => this.#deny(reason), progress);
  }

  #deny(reason: Failure): void {
    if (this.gone) return;
    this.denial = reason;
    this.#cut();
    this.#guard.refuse(this.#client, reason);
    // Who makes the answer has nobody to make it for any more.
    this.#listener?.clientLeft();
  }

  #cut(): void {
    for (const stage of this.#stages) stage.cut();
    this.#resolveOver();
  }
}
