// Equal dialects: the client gets the upstream's bytes. Frames are read only for what the gateway must know, and one frame may be
// left out: the usage chunk that the gateway asked for and the client did not.
import type { ChatEvent } from '#core/chat/reply.ts';
import { framesOf } from '../http/sse.ts';
import type { StreamDecoder } from '../providers/provider.ts';
import { BLANK_LINE, lastWords, MAX_HELD_BYTES, type Relay, type RelayOptions, RelayState } from './relay.ts';

export type PassthroughOptions = RelayOptions & {
  readonly decoder: StreamDecoder;
  /** See Provider.notable. */
  readonly notable: RegExp;
  readonly hideUsage: boolean;
};

export function passthroughRelay(options: PassthroughOptions): Relay {
  const { decoder, notable, hideUsage } = options;
  const state = new RelayState(options);
  let held: Buffer[] = [];
  let heldBytes = 0;

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
      if (state.began && !notable.test(block.toString('latin1'))) return block;
      const kept: Buffer[] = [];
      for (const { raw, message } of framesOf(block)) {
        const events = message ? decoder.push(message) : [];
        for (const event of events) state.note(event);
        if (state.failure) break;
        if (!(hideUsage && isUsageAlone(events))) kept.push(raw);
      }
      if (kept.length === 0) return undefined;
      return release(kept.length === 1 ? kept[0]! : Buffer.concat(kept));
    },
    close(rest) {
      const last = lastWords(decoder, rest, state);
      for (const event of [...last, ...decoder.close()]) state.note(event);
      state.settle();
      if (!state.began) return undefined;
      const isSaid = last.length > 0 && !(hideUsage && isUsageAlone(last));
      return isSaid ? release(Buffer.concat([rest, BLANK_LINE])) : held.length > 0 ? release(Buffer.alloc(0)) : undefined;
    },
  };
}

const isUsageAlone = (events: readonly ChatEvent[]): boolean => events.some(e => e.kind === 'usage' && e.alone);
