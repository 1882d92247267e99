// Different dialects, and streams that go on with one that broke off: the upstream's frames become neutral events, these become the
// client's frames.
import { converted } from '#core/chat/citations/citation.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { addUsage } from '#core/chat/usage.ts';
import type { StreamEncoder } from '../frontends/frontend.ts';
import { messagesOf } from '../http/sse.ts';
import type { StreamDecoder } from '../providers/provider.ts';
import { lastWords, MAX_HELD_BYTES, type Relay, type RelayOptions, RelayState, type Spoken, SpokenText } from './relay.ts';

export type TranslateOptions = RelayOptions & {
  readonly decoder: StreamDecoder;
  readonly encoder: StreamEncoder;
  /** Another stream may go on with this one, should it break off. */
  readonly mayResume?: boolean;
};

export function translateRelay(options: TranslateOptions): Relay {
  return relayOf(options, options.mayResume ? new SpokenText() : undefined, event => event);
}

export type Before = {
  readonly spoken: Spoken;
  /** White space at the end of what the client has, which the upstream was not told: it may say it again. */
  readonly trimmed: string;
};

/** Goes on with a stream: the client sees no second beginning, and the usage of both. */
export function resumedRelay(decoder: StreamDecoder, { spoken, trimmed }: Before): Relay {
  const options = { decoder, encoder: spoken.encoder, filteredIsFailure: false, mayBeEmpty: true };
  return relayOf(options, new SpokenText(spoken.text), stitchOf(spoken, trimmed), spoken);
}

function relayOf(
  options: TranslateOptions,
  said: SpokenText | undefined,
  told: (event: ChatEvent) => ChatEvent | undefined,
  before?: Spoken,
): Relay {
  const { decoder, encoder } = options;
  const state = new RelayState(options);
  let held = '';

  const encode = (events: readonly ChatEvent[]): void => {
    for (const event of events) {
      if (state.failure) return;
      state.note(event);
      if (state.failure) return;
      const out = told(event);
      if (!out) continue;
      said?.note(out);
      held += encoder.push(out);
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
    spoken() {
      if (!said || said.text === '' || said.isMixed || decoder.leftOut?.()) return undefined;
      return { text: said.text, encoder, usage: addUsage(before?.usage, state.usage) };
    },
  };
}

/** What the client is told of the events of a stream that goes on with another one. */
function stitchOf(before: Spoken, trimmed: string): (event: ChatEvent) => ChatEvent | undefined {
  let again = trimmed;
  /** How much of the upstream's text the client had already. */
  let cut = 0;
  return event => {
    switch (event.kind) {
      case 'start':
        return undefined;
      case 'usage':
        return { ...event, usage: addUsage(before.usage, event.usage) ?? event.usage };
      case 'text-delta': {
        const text = withoutRepeated(event.text, again);
        again = again.slice(event.text.length - text.length);
        cut += event.text.length - text.length;
        if (text !== '') again = '';
        return { ...event, text };
      }
      case 'citation':
        return { ...event, citation: converted(event.citation, place => Math.max(0, place - cut)) };
      default:
        return event;
    }
  };
}

function withoutRepeated(text: string, again: string): string {
  let same = 0;
  while (same < text.length && same < again.length && text[same] === again[same]) same++;
  return text.slice(same);
}
