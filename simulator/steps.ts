// An answer as a list of things to do on the connection. Wires and pace make the list, faults rewrite it, delivery carries it out: so a
// fault is a function from steps to steps, and needs no branch in the server.
import type { Frame, Refusal, Wire } from './wires/wire.ts';

export type Step =
  /** `kind` is a frame's, or `body` for an answer that is one piece. */
  | {
      readonly do: 'write';
      readonly kind: Frame['kind'] | 'body' | 'noise';
      readonly text: string | Buffer;
      readonly tokens: number;
    }
  | { readonly do: 'wait'; readonly ms: number }
  /** Goes on when this resolves; it has to when the client goes away. */
  | { readonly do: 'until'; readonly ready: (gone: AbortSignal) => Promise<void> }
  /** Another answer than was announced, where nothing was sent yet. */
  | { readonly do: 'instead'; readonly refusal: Refusal }
  /** Send the headers now; without it they go out with the first byte of the body. */
  | { readonly do: 'head' }
  /** Nothing more until the client goes away. */
  | { readonly do: 'stall' }
  /** The connection ends under the answer: FIN without a terminator, or RST. */
  | { readonly do: 'cut' | 'reset' }
  /** A proper end of the body, however much is missing from it. */
  | { readonly do: 'end' };

export const write = (kind: Extract<Step, { do: 'write' }>['kind'], text: string | Buffer, tokens = 0): Step => ({
  do: 'write',
  kind,
  text,
  tokens,
});

export function* frameSteps(frames: Iterable<Frame>, wire: Wire): Iterable<Step> {
  for (const frame of frames) yield write(frame.kind, bytesOf(frame, wire), frame.tokens);
}

export const bytesOf = (frame: Frame, wire: Wire): string | Buffer => wire.bytesOf?.(frame) ?? sse(frame);

export const sse = (frame: Frame): string => `${frame.event ? `event: ${frame.event}\n` : ''}data: ${frame.data}\n\n`;

export type Pace = {
  /** Milliseconds before the first token. */
  readonly latency: number;
  /** 0: as fast as the connection takes them. */
  readonly tokensPerSecond: number;
  /** 0 to 1: how far a wait may be off, either way. */
  readonly jitter: number;
};

/** Jitter follows from the digest, so that a run can be repeated. */
export function* paced(steps: Iterable<Step>, pace: Pace, digest: string): Iterable<Step> {
  let waits = 0;
  const wait = (ms: number): Step => ({ do: 'wait', ms: ms * (1 + pace.jitter * (2 * fraction(digest, waits++) - 1)) });
  const perToken = pace.tokensPerSecond > 0 ? 1000 / pace.tokensPerSecond : 0;
  let begun = false;
  for (const step of steps) {
    if (step.do !== 'write') {
      yield step;
      continue;
    }
    const isFirst: boolean = !begun && step.kind !== 'bare';
    begun ||= isFirst;
    const due = (isFirst ? pace.latency : 0) + (step.kind === 'content' || step.kind === 'body' ? step.tokens * perToken : 0);
    if (due > 0) yield wait(due);
    yield step;
  }
}

const fraction = (digest: string, index: number): number =>
  Number.parseInt(digest.slice((index * 2) % 36, ((index * 2) % 36) + 2), 16) / 255;
