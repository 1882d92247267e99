// Pins of one process: all there is without Redis, and what it knows by itself with one. The least recently used go first.
import { PIN_TTL_MS, type Pin, type Pins, pinWith, type StateKey } from './pins.ts';

type Kept = { readonly pin: Pin; readonly until: number; readonly size: number };

const MAX_PINS = 100_000;
/** Characters of what is known about a thing that count as one pin more. */
const ABOUT_CHARACTERS = 500;

export type MemoryPins = Pins & {
  /** Without waiting. */
  known(tenant: string, key: StateKey): Pin | undefined;
};

/** @param now in milliseconds. @param max pins: of those about which much is known, fewer */
export function memoryPins({ now, max = MAX_PINS }: { readonly now: () => number; readonly max?: number }): MemoryPins {
  const kept = new Map<string, Kept>();
  let size = 0;
  const drop = (name: string) => {
    size -= kept.get(name)?.size ?? 0;
    kept.delete(name);
  };
  const put = (name: string, pin: Pin) => {
    drop(name);
    const entry = { pin, until: now() + PIN_TTL_MS, size: sizeOf(pin) };
    kept.set(name, entry);
    size += entry.size;
    for (const oldest of kept.keys()) {
      if (size <= max) break;
      drop(oldest);
    }
  };
  const known: MemoryPins['known'] = (tenant, key) => {
    const name = nameOf(tenant, key);
    const found = kept.get(name);
    if (!found) return undefined;
    if (found.until <= now()) {
      drop(name);
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
      drop(nameOf(tenant, key));
    },
  };
}

const sizeOf = ({ about }: Pin): number => 1 + (about ? Math.ceil(JSON.stringify(about).length / ABOUT_CHARACTERS) : 0);

const nameOf = (tenant: string, { kind, id }: StateKey): string => JSON.stringify([tenant, kind, id]);
