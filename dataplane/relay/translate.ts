// Different dialects: the upstream's frames become neutral events, these become the client's frames.
import type { ChatEvent } from '#core/chat/reply.ts';
import type { StreamEncoder } from '../frontends/frontend.ts';
import { messagesOf } from '../http/sse.ts';
import type { StreamDecoder } from '../providers/provider.ts';
import { lastWords, MAX_HELD_BYTES, type Relay, type RelayOptions, RelayState } from './relay.ts';

export type TranslateOptions = RelayOptions & { readonly decoder: StreamDecoder; readonly encoder: StreamEncoder };

export function translateRelay(options: TranslateOptions): Relay {
  const { decoder, encoder } = options;
  const state = new RelayState(options);
  let held = '';

  const encode = (events: readonly ChatEvent[]): void => {
    for (const event of events) {
      if (state.failure) return;
      state.note(event);
      if (state.failure) return;
      held += encoder.push(event);
    }
  };
  const release = (): string | undefined => {
    if (!state.began) {
      if (held.length > MAX_HELD_BYTES) state.overflow();
      return undefined;
    }
    const out = held;
    held = '';
    return out === '' ? undefined : out;
  };

  return {
    state,
    push(block) {
      for (const message of messagesOf(block)) {
        encode(decoder.push(message));
        if (state.failure) break;
      }
      return release();
    },
    close(rest) {
      encode(lastWords(decoder, rest, state));
      encode(decoder.close());
      // An answer can be complete without its wire's terminator; the client's dialect has one of its own.
      if (state.finish && !state.ended) encode([{ kind: 'end' }]);
      state.settle();
      return release();
    },
  };
}
