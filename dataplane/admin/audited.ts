// A change that somebody asks for: on record before it is made.
import { failure, type Parsed } from '#core/failure.ts';
import { epochMillis } from '#core/units.ts';
import { actorOf, type Call } from './call.ts';

/** What then does not come about is on record too. */
export async function audited<T>(
  { ports, caller, requestId }: Call,
  action: string,
  object: string,
  details: Record<string, unknown>,
  change: () => Promise<Parsed<T>>,
): Promise<Parsed<T>> {
  const entry = { actor: actorOf(caller), action, object };
  const record = (id: string, more: object) =>
    ports.audit.write({ ...entry, id, at: epochMillis(ports.now()), details: { request_id: requestId, ...details, ...more } });
  try {
    await record(ports.newRequestId(), {});
  } catch (error) {
    ports.onError(error, requestId);
    const message = 'The change cannot be put on record now, so it is not made.';
    return { ok: false, failure: failure('store_unavailable', { message }) };
  }
  const done = await change();
  if (!done.ok)
    await record(ports.newRequestId(), { outcome: 'refused', reason: done.failure.message }).catch(error =>
      ports.onError(error, requestId),
    );
  return done;
}
