// A request that goes on with what a provider keeps goes to that provider, whatever else its route has; and what a provider keeps of an
// answer is noted, so that later requests find it.
import { failure, ok, type Parsed, refuse } from '#core/failure.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { Envelope } from './frontends/index.ts';
import { messagesOf } from './http/sse.ts';
import type { Pin, Pins, StateKey } from './pins/pins.ts';
import type { Prepared } from './prepare.ts';
import type { Provider } from './providers/provider.ts';
import type { Relay } from './relay/relay.ts';

/** Where a request has to go by what it names; undefined: anywhere. */
export async function pinOf({ names }: Envelope, tenant: string, pins: Pins): Promise<Parsed<Pin | undefined>> {
  if (!names) return ok(undefined);
  const found = await pins.find(tenant, names);
  if (found === 'away') return refuse('store_unavailable', { message: 'It is not known now where this is stored; try again.' });
  let pin: Pin | undefined;
  for (const [i, { kind, id, param }] of names.entries()) {
    const here = found[i];
    if (!here) return notFound(kind, id, param);
    if (pin && (pin.provider !== here.provider || pin.endpoint !== here.endpoint))
      return refuse('invalid_request', {
        message: `${param}: '${id}' is stored at another provider than what stands before it.`,
        param,
      });
    pin = here;
  }
  return ok(pin);
}

/** The same for what never was and for what another tenant has. */
export const notFound = (kind: string, id: string, param?: string) =>
  refuse('not_found', {
    message: `The ${kind} '${id}' was not found: it was never stored through this gateway, or has been deleted or has expired.`,
    ...(param !== undefined && { param }),
  });

/** The backends of a plan that have it. */
export function planAt(plan: Plan, pin: Pin | undefined, { names }: Envelope): Parsed<Plan> {
  if (!pin) return ok(plan);
  const candidates = plan.candidates.filter(({ provider }) => provider.id === pin.provider);
  if (candidates.length > 0) return ok({ ...plan, candidates });
  const { kind, id, param } = names![0]!;
  return { ok: false, failure: failure('invalid_request', { param, message: notHere(kind, id) }) };
}

const notHere = (kind: string, id: string): string =>
  `The ${kind} '${id}' is stored at a provider that the model of this request is not served by.`;

/** Notes what a provider keeps of an attempt's answer, as it is told of it. */
export class Keeping {
  readonly #pins: Pins;
  readonly #tenant: string;
  readonly #pin: Pin;
  #provider: Provider | undefined;
  #written: Promise<unknown> = Promise.resolve();
  /** Of the response itself, as soon as it is known. */
  responseId: string | undefined;

  constructor(pins: Pins, tenant: string, pin: Pin) {
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
        if (this.#provider?.keeps?.mark.test(block.toString('latin1')))
          for (const { data } of messagesOf(block)) this.#note(data);
        return relay.push(block);
      },
    };
  }

  #note(json: string): void {
    const keys = this.#keysIn(json).slice(0, MAX_KEYS);
    if (keys.length === 0) return;
    this.responseId ??= keys.find(({ kind }) => kind === 'response')?.id;
    this.#written = Promise.all([this.#written, this.#pins.keep(this.#tenant, keys, this.#pin)]);
  }

  #keysIn(json: string): readonly StateKey[] {
    try {
      return this.#provider?.keeps?.keysIn(JSON.parse(json)) ?? [];
    } catch {
      // What is no JSON is refused by who reads the answer.
      return [];
    }
  }
}

/** Of one reply, or of one event. */
const MAX_KEYS = 1000;
