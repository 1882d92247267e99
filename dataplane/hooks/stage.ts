// A hook at an answer that passes by: frames go in and come out in order, some later than they went in, some changed.
import type { Failure } from '#core/failure.ts';
import type { Frame } from './frame.ts';

/** What comes after it: the next hook, or the client. */
export type Next = {
  push(frame: Frame): void;
  end(): void;
};

export type Stage = Next & {
  /** More than it should hold: it waits for a verdict. */
  readonly isBehind: boolean;
  /** The answer broke off, or its client left: what it has is not the whole. */
  cut(): void;
};

/** Who is told that an answer must not go on. Once; nothing comes out of any stage after that. */
export type Deny = (reason: Failure) => void;
