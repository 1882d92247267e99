// One of the two sides of a session: sends as fast as the other one takes it, and no faster.
import type { WebSocket } from '#platform/websocket.ts';

/** What may wait to be sent before the sender has to. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** A side that takes nothing for this long is given up. */
const STALL_MS = 60_000;

/** Sends to `to`, and has `from` wait while too much of it is on its way. */
export class Pipe {
  readonly #from: WebSocket;
  readonly #to: WebSocket;
  #isFull = false;
  #stall: NodeJS.Timeout | undefined;
  /** Held back for another reason. */
  #isHeld = false;

  constructor(from: WebSocket, to: WebSocket) {
    this.#from = from;
    this.#to = to;
  }

  send(data: Buffer | string, isBinary: boolean): void {
    if (this.#to.readyState !== this.#to.OPEN) return;
    this.#to.send(data, { binary: isBinary }, () => this.#taken());
    if (this.#isFull || this.#to.bufferedAmount <= WAITING_BYTES_MAX) return;
    this.#isFull = true;
    this.#from.pause();
    this.#stall = setTimeout(() => this.#to.terminate(), STALL_MS);
  }

  /** Nothing more is read until `release`. */
  hold(): void {
    this.#isHeld = true;
    this.#from.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#goOn();
  }

  close(): void {
    clearTimeout(this.#stall);
  }

  #taken(): void {
    if (!this.#isFull || this.#to.bufferedAmount > WAITING_BYTES_MAX / 2) return;
    this.#isFull = false;
    clearTimeout(this.#stall);
    this.#goOn();
  }

  #goOn(): void {
    if (!this.#isFull && !this.#isHeld && this.#from.readyState === this.#from.OPEN) this.#from.resume();
  }
}
