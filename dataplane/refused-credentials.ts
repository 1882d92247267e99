// Which providers refuse the credential they are sent, by their newest answers; and who is told of the first such answer.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Observer } from './ports.ts';

export class RefusedCredentials implements Observer {
  readonly #refused = new Set<string>();
  readonly #onRefused: () => void;

  /** @param onRefused told of every refusal: a credential that was replaced a moment ago may have a newer one */
  constructor(onRefused: () => void) {
    this.#onRefused = onRefused;
  }

  refused(): void {}
  served(): void {}

  /** Ids. */
  get providers(): readonly string[] {
    return [...this.#refused].sort();
  }

  attempted({ provider, failure, upstreamStatus }: Pick<CostRecord, 'provider' | 'failure' | 'upstreamStatus'>): void {
    if (failure === 'upstream_auth_failed') {
      this.#refused.add(provider);
      this.#onRefused();
    } else if (upstreamStatus > 0) this.#refused.delete(provider);
  }
}
