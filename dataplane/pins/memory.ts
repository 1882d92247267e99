// Pins of one process: all there is without Redis, and what it knows by itself with one. The least recently used go first.
import { PIN_TTL_MS, type Pin, type Pins, pinWith, type StateKey } from './pins.ts';

type Kept = { readonly pin: Pin; readonly until: number };

const MAX_PINS = 100_000;

export type MemoryPins = Pins & {
  /** Without waiting. */
  known(tenant: string, key: StateKey): Pin | undefined;
};

/** @param now in milliseconds */
export function memoryPins({ now, max = MAX_PINS }: { readonly now: () => number; readonly max?: number }): MemoryPins {
  const kept = new Map<string, Kept>();
  const put = (name: string, pin: Pin) => {
    kept.delete(name);
    kept.set(name, { pin, until: now() + PIN_TTL_MS });
    for (const oldest of kept.keys()) {
      if (kept.size <= max) break;
      kept.delete(oldest);
    }
  };
  const known: MemoryPins['known'] = (tenant, key) => {
    const name = nameOf(tenant, key);
    const found = kept.get(name);
    if (!found) return undefined;
    if (found.until <= now()) {
      kept.delete(name);
      return undefined;
    }
    put(name, found.pin);
    return found.pin;
  };
  return {
    known,
    find: async (tenant, keys) => keys.map(key => known(tenant, key)),
    keep: async (tenant, keys, pin) => {
      for (const key of keys) put(nameOf(tenant, key), pinWith(pin, key));
    },
    forget: async (tenant, key) => {
      kept.delete(nameOf(tenant, key));
    },
  };
}

const nameOf = (tenant: string, { kind, id }: StateKey): string => JSON.stringify([tenant, kind, id]);
