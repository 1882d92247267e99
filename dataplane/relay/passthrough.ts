// Equal dialects: the client gets the upstream's bytes. Frames are read only for what the gateway must know, and one frame may be
// left out: the usage chunk that the gateway asked for and the client did not.
import type { ChatEvent } from '#core/chat/reply.ts';
import type { StreamEncoder } from '../frontends/frontend.ts';
import { framesOf, messagesOf } from '../http/sse.ts';
import type { StreamDecoder } from '../providers/provider.ts';
import {
  BLANK_LINE,
  lastWords,
  MAX_HELD_BYTES,
  MAX_SPOKEN,
  type Relay,
  type RelayOptions,
  RelayState,
  type Spoken,
  SpokenText,
} from './relay.ts';

export type PassthroughOptions = RelayOptions & {
  readonly decoder: StreamDecoder;
  /** See Provider.notable. */
  readonly notable: RegExp;
  readonly hideUsage: boolean;
  /** Of the dialect: an answer can be complete without it, yet clients wait for it (Anthropic's SDK raises). */
  readonly terminator: string;
  /** Present: another stream may go on with this one, should it break off. They read what was sent, and write what is to come. */
  readonly resume?: { decoder(): StreamDecoder; encoder(): StreamEncoder } | undefined;
};

export function passthroughRelay(options: PassthroughOptions): Relay {
  const { decoder, notable, hideUsage, terminator, resume } = options;
  const state = new RelayState(options);
  let held: Buffer[] = [];
  let heldBytes = 0;
  const sent = resume && new Sent();

  const release = (out: Buffer): Buffer | undefined => {
    if (state.began) {
      if (held.length === 0) return out;
      held.push(out);
      const all = Buffer.concat(held);
      held = [];
      return all;
    }
    held.push(out);
    heldBytes += out.length;
    if (heldBytes > MAX_HELD_BYTES) state.overflow();
    return undefined;
  };

  return {
    state,
    push(block) {
      if (state.began && !notable.test(block.toString('latin1'))) {
        sent?.add(block);
        return block;
      }
      const kept: Buffer[] = [];
      for (const { raw, message } of framesOf(block)) {
        const events = message ? decoder.push(message) : [];
        for (const event of events) state.note(event);
        if (state.failure) break;
        if (!(hideUsage && isUsageAlone(events))) kept.push(raw);
      }
      if (kept.length === 0) return undefined;
      const out = kept.length === 1 ? kept[0]! : Buffer.concat(kept);
      sent?.add(out);
      return release(out);
    },
    spoken: () => resume && sent?.spoken(resume, state),
    close(rest) {
      const last = lastWords(decoder, rest, state);
      for (const event of last) state.note(event);
      const wasEnded = state.ended;
      for (const event of decoder.close()) state.note(event);
      state.settle();
      if (!state.began) return undefined;
      const isSaid = last.length > 0 && !(hideUsage && isUsageAlone(last));
      const lacksEnd = state.finish && !wasEnded && !state.failure;
      const ending = Buffer.concat([...(isSaid ? [rest, BLANK_LINE] : []), ...(lacksEnd ? [Buffer.from(terminator)] : [])]);
      return ending.length > 0 || held.length > 0 ? release(ending) : undefined;
    },
  };
}

/** What has gone to the client, while it is short enough to go on with. A copy: the memory of a block is used again. */
class Sent {
  #blocks: Buffer[] = [];
  #bytes = 0;

  add(block: Buffer): void {
    this.#bytes += block.length;
    if (this.#bytes <= MAX_SENT_BYTES) this.#blocks.push(Buffer.from(block));
    else this.#blocks = [];
  }

  spoken(
    { decoder: newDecoder, encoder: newEncoder }: NonNullable<PassthroughOptions['resume']>,
    state: RelayState,
  ): Spoken | undefined {
    const [decoder, encoder, said] = [newDecoder(), newEncoder(), new SpokenText()];
    for (const message of messagesOf(Buffer.concat(this.#blocks)))
      for (const event of decoder.push(message)) {
        said.note(event);
        encoder.push(event);
      }
    const { text, isMixed, endsBlank } = said;
    if (text === '' || isMixed || endsBlank || decoder.leftOut?.()) return undefined;
    return { text, encoder, usage: state.usage };
  }
}

/** A frame of a few letters takes some hundred bytes. */
const MAX_SENT_BYTES = 8 * MAX_SPOKEN;

const isUsageAlone = (events: readonly ChatEvent[]): boolean => events.some(e => e.kind === 'usage' && e.alone);
