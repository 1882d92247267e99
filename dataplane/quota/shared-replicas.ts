// What other processes have in flight on the replicas that this one uses, by way of Redis and off every request's path: so that the
// shares of all processes in a replica's time add up to it.
import { readFileSync } from 'node:fs';
import type { RedisLink } from '#platform/redis.ts';
import { runScript, scriptOf } from '#platform/redis-script.ts';
import type { Replicas } from './replicas.ts';

const EVERY_MS = 250;
/** A process that said nothing for so long has nothing in flight, as far as anybody knows. */
const SILENT_MS = 2_000;

export type SharedReplicas = {
  /** As last heard; 0 while Redis is away. */
  others(endpoint: string): number;
  /** Tells what these replicas have in flight here, from now on. */
  share(replicas: Pick<Replicas, 'inFlight'>): void;
  close(): void;
};

export function sharedReplicas(link: RedisLink, pod: string): SharedReplicas {
  const script = scriptOf(readFileSync(new URL('./scripts/in-flight-1.lua', import.meta.url), 'utf8'));
  const elsewhere = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const tell = async (endpoint: string, count: number): Promise<void> => {
    const args = [`tollgate:{gpu}:${endpoint}`, pod, String(count), String(SILENT_MS)];
    const others = await link.call(client => runScript(client, script, 1, args)).catch(() => 0);
    if (count > 0) elsewhere.set(endpoint, Number(others));
    else elsewhere.delete(endpoint);
  };

  return {
    others: endpoint => elsewhere.get(endpoint) ?? 0,
    share(replicas) {
      timer ??= setInterval(() => {
        const inFlight = replicas.inFlight();
        // What was in flight a moment ago and is not any more is told once, too.
        for (const endpoint of elsewhere.keys()) if (!inFlight.has(endpoint)) void tell(endpoint, 0);
        for (const [endpoint, count] of inFlight) void tell(endpoint, count);
      }, EVERY_MS).unref();
    },
    close: () => clearInterval(timer),
  };
}
