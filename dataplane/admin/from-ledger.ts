// A question to the ledger that may be away: its silence is a failure of the class for that, not a bug.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { TOO_MANY_GROUPS } from '../costlog/ledger.ts';
import type { AdminPorts } from './admin-ports.ts';

export async function fromLedger<T>(
  ports: Pick<AdminPorts, 'onError' | 'newRequestId'>,
  ask: () => Promise<T>,
): Promise<Parsed<T>> {
  try {
    return ok(await ask());
  } catch (error) {
    if (String((error as Error).message).includes(TOO_MANY_GROUPS))
      return refuse('invalid_request', { message: 'The report has too many groups: ask for less time, or group by less.' });
    ports.onError(error, ports.newRequestId());
    return refuse('store_unavailable', { message: 'The ledger cannot be read now.' });
  }
}
