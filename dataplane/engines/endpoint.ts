// One endpoint of an engine provider in this process: how it stands, what was sent there, when to look at it again.
import type { Replica } from '#core/engines/choose.ts';
import { type EndpointState, newEndpoint } from '#core/engines/state.ts';
import { hashText } from '#core/plan/hash.ts';
import type { ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { EndpointWatcher } from '../ports.ts';

export const looks = ['metrics', 'models', 'health'] as const;
export type LookKind = (typeof looks)[number];

export class Endpoint implements Replica {
  readonly endpoint: string;
  readonly hash: number;
  state: EndpointState;
  /** Since the newest reading was asked for: what was sent while it was on its way may not be in it. */
  sent = 0;
  #sentSinceAsked = 0;
  /** Attempts that failed, since the last that did not. */
  #failures = 0;
  suspectUntil = 0;
  /** Attempts that are under way. */
  readonly attempts = new Set<EndpointWatcher>();
  /** Looks under way: at each thing one at a time. */
  readonly looking = new Set<LookKind>();
  /** Monotonic. */
  readonly dueAt: Record<LookKind, number>;
  /** It answers, with metrics that say nothing. */
  isUnreadable = false;

  /** @param first when to look for the first time; the looks at one endpoint go over one connection, one after the other */
  constructor(endpoint: string, now: number, first: number, interval: number) {
    this.endpoint = endpoint;
    this.hash = hashText(endpoint);
    this.state = newEndpoint(now);
    this.dueAt = { metrics: first, models: first + interval / 3, health: first + (2 * interval) / 3 };
  }

  get inFlight(): number {
    return this.attempts.size;
  }

  count(): void {
    this.sent++;
    this.#sentSinceAsked++;
  }

  asked(): void {
    this.#sentSinceAsked = 0;
  }

  told(): void {
    this.sent = this.#sentSinceAsked;
  }

  succeeded(): void {
    this.#failures = 0;
    this.suspectUntil = 0;
  }

  failed({ consecutiveFailures, cooldown }: ProviderEntry['circuitBreaker'], now: number): void {
    if (++this.#failures >= consecutiveFailures) this.suspectUntil = now + cooldown;
  }

  /** What depends on the process behind the endpoint may have changed. */
  lookAgain(now: number): void {
    this.dueAt.models = now;
    this.dueAt.health = now;
  }

  /** No answer will come from it. */
  abandon(): void {
    const attempts = [...this.attempts];
    this.attempts.clear();
    for (const attempt of attempts) attempt.endpointLost();
  }
}
