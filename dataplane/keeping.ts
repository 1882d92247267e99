// What a provider keeps of an answer is noted as it is told of, so that later requests find it.
import { messagesOf } from './http/sse.ts';
import type { Pin, PinnedKey, Pins } from './pins/pins.ts';
import type { Prepared } from './prepare.ts';
import type { Provider } from './providers/provider.ts';
import type { Relay } from './relay/relay.ts';

/** Notes what a provider keeps of an attempt's answer, as it is told of it. */
export class Keeping {
  readonly #pins: Pins;
  readonly #tenant: string;
  readonly #pin: Omit<Pin, 'tokens'>;
  #provider: Provider | undefined;
  #written: Promise<unknown> = Promise.resolve();

  constructor(pins: Pins, tenant: string, pin: Omit<Pin, 'tokens'>) {
    this.#pins = pins;
    this.#tenant = tenant;
    this.#pin = pin;
  }

  /** The same attempt, with an eye on what comes from the upstream. */
  at(prepared: Prepared): Prepared {
    this.#provider = prepared.chat;
    const { relay } = prepared;
    return {
      ...prepared,
      read: (bytes, headers) => {
        this.#note(bytes.toString());
        return prepared.read(bytes, headers);
      },
      relay: relay && this.#atStream(relay),
    };
  }

  /** Resolves when what was noted is known to all pods, or cannot be now. */
  written(): Promise<unknown> {
    return this.#written;
  }

  #atStream(relay: Relay): Relay {
    return {
      ...relay,
      push: block => {
        if (this.#provider?.telling?.mark.test(block.toString('latin1')))
          for (const { data } of messagesOf(block)) this.#note(data);
        return relay.push(block);
      },
    };
  }

  #note(json: string): void {
    const keys = this.#keysIn(json).slice(0, MAX_KEYS);
    if (keys.length === 0) return;
    this.#written = Promise.all([this.#written, this.#pins.keep(this.#tenant, keys, this.#pin)]);
  }

  #keysIn(json: string): readonly PinnedKey[] {
    try {
      return this.#provider?.telling?.keysIn(JSON.parse(json)) ?? [];
    } catch {
      // What is no JSON is refused by who reads the answer.
      return [];
    }
  }
}

/** Of one reply, or of one event. */
const MAX_KEYS = 1000;
