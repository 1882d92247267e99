// A request that goes on with what a provider keeps goes to that provider, whatever else its route has.
import type { InputFacts } from '#core/admission/bound.ts';
import { failure, ok, type Parsed, refuse } from '#core/failure.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { Call } from './call.ts';
import type { Envelope } from './frontends/index.ts';
import type { Pin, Pins } from './pins/pins.ts';

/** Where a request has to go by what it names, and how much of all that is read; undefined: anywhere. */
export async function pinOf({ names }: Envelope, tenant: string, pins: Pins): Promise<Parsed<Pin | undefined>> {
  if (!names) return ok(undefined);
  const found = await pins.find(tenant, names);
  if (found === 'away') return placeUnknown();
  let pin: Pin | undefined;
  let tokens: number | undefined = 0;
  for (const [i, { kind, id, param }] of names.entries()) {
    const here = found[i];
    if (!here) return notFound(kind, id, param);
    if (pin && (pin.provider !== here.provider || pin.endpoint !== here.endpoint))
      return refuse('invalid_request', {
        message: `${param}: '${id}' is stored at another provider than what stands before it.`,
        param,
      });
    pin = here;
    tokens = tokens === undefined || here.tokens === undefined ? undefined : tokens + here.tokens;
  }
  if (!pin) return ok(undefined);
  // Of several, nobody asks what they are.
  const { tokens: _own, ...place } = pin;
  return ok({ ...place, ...(tokens !== undefined && { tokens }) });
}

/** The store that knows it is away. */
export const placeUnknown = () =>
  refuse('store_unavailable', { message: 'It is not known now where this is stored; try again.' });

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

/** What the model reads besides the body. */
export function carriedBy({ envelope, pin }: Pick<Call, 'envelope' | 'pin'>): InputFacts['carried'] {
  if (envelope.readsMore) return 'unknown';
  return pin && (pin.tokens ?? 'unknown');
}
