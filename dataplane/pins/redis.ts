// Pins that all pods share, in Redis: one small value each, which goes when nobody has named it for long. What this process made itself it
// knows without asking, also while Redis is away, and tells a Redis that has lost it.
import { createHash } from 'node:crypto';
import type { RedisLink } from '#platform/redis.ts';
import { tenantPrefixes } from '../counters/tenant-keys.ts';
import { memoryPins } from './memory.ts';
import { PIN_TTL_MS, type Pin, type PinnedKey, type Pins, pinWith, type StateKey } from './pins.ts';

type Unwritten = { readonly tenant: string; readonly keys: readonly PinnedKey[]; readonly pin: Pin };

const UNWRITTEN_MAX = 10_000;
const TRY_AGAIN_MS = 1_000;

export type RedisPins = Pins & { close(): void };

export function redisPins(link: RedisLink, now: () => number): RedisPins {
  const own = memoryPins({ now });
  const prefixes = tenantPrefixes();
  const nameOf = (tenant: string, { kind, id }: StateKey) =>
    `${prefixes(tenant)}pin:${createHash('sha256')
      .update(JSON.stringify([kind, id]))
      .digest('base64url')}`;
  const unwritten: Unwritten[] = [];

  const write = ({ tenant, keys, pin }: Unwritten) =>
    link.call(client => {
      const pipeline = client.pipeline();
      for (const key of keys) pipeline.set(nameOf(tenant, key), JSON.stringify(pinWith(pin, key)), 'PX', PIN_TTL_MS);
      return resultsOf(pipeline.exec());
    });
  const writeLater = (what: Unwritten) => {
    if (unwritten.length < UNWRITTEN_MAX) unwritten.push(what);
  };
  let isTrying = false;
  const tryAgain = async () => {
    if (isTrying || link.state().kind === 'down') return;
    isTrying = true;
    try {
      for (let next = unwritten[0]; next; next = unwritten[0]) {
        await write(next);
        unwritten.shift();
      }
    } catch {
      // It is away again, and will be asked again.
    } finally {
      isTrying = false;
    }
  };
  /** Each as Redis has it, else as this process knows it, which it is told then. undefined: Redis is away. */
  const asked = async (
    tenant: string,
    keys: readonly StateKey[],
    known: readonly (Pin | undefined)[],
  ): Promise<readonly (Pin | undefined)[] | undefined> => {
    try {
      const told = await link.call(client => {
        const pipeline = client.pipeline();
        // Who names it keeps it.
        for (const key of keys) pipeline.getex(nameOf(tenant, key), 'PX', PIN_TTL_MS);
        return resultsOf(pipeline.exec());
      });
      const found = told.map(pinOf);
      for (const [i, pin] of known.entries()) if (pin && !found[i]) void write({ tenant, keys: [keys[i]!], pin }).catch(() => {});
      return found.map((pin, i) => pin ?? known[i]);
    } catch {
      return undefined;
    }
  };

  const timer = setInterval(() => void tryAgain(), TRY_AGAIN_MS).unref();

  return {
    async find(tenant, keys) {
      const known = keys.map(key => own.known(tenant, key));
      const told = asked(tenant, keys, known);
      // What is known about a thing changes, and another process may know more.
      if (known.every(pin => pin && !pin.about)) return known;
      return (await told) ?? (known.every(pin => pin) ? known : 'away');
    },
    async keep(tenant, keys, pin) {
      if (keys.length === 0) return;
      await own.keep(tenant, keys, pin);
      await write({ tenant, keys, pin }).catch(() => writeLater({ tenant, keys, pin }));
    },
    async forget(tenant, key) {
      await own.forget(tenant, key);
      // One that stays leads to where the provider says that it is gone.
      await link.call(client => client.del(nameOf(tenant, key))).catch(() => {});
    },
    close: () => clearInterval(timer),
  };
}

/** Of a pipeline: an error of one is an error of all. */
async function resultsOf(exec: Promise<[error: Error | null, result: unknown][] | null>): Promise<unknown[]> {
  const results = (await exec) ?? [];
  const failed = results.find(([error]) => error)?.[0];
  if (failed) throw failed;
  return results.map(([, result]) => result);
}

function pinOf(text: unknown): Pin | undefined {
  return typeof text === 'string' ? (JSON.parse(text) as Pin) : undefined;
}
