// A stream encoder as a reducer: a table with one handler for each kind of event.
import type { ChatEvent } from '#core/chat/reply.ts';
import type { StreamEncoder } from './frontend.ts';

export type Handlers<State> = {
  readonly [K in ChatEvent['kind']]: (state: State, event: Extract<ChatEvent, { kind: K }>) => string;
};

/** Nothing follows once `isOver` is set. */
export function reducer<State extends { readonly isOver: boolean }>(state: State, on: Handlers<State>): StreamEncoder {
  return { push: event => (state.isOver ? '' : (on[event.kind] as (state: State, event: ChatEvent) => string)(state, event)) };
}
