// Where sessions went last, for `affinity`. Every process picks the same backend for a session by hashing (hash.ts), so this is not what
// makes a session stick: it is what keeps it where it is, for `ttl` after its last request, when a backend that the hash prefers
// comes back. Bounded: the session that was asked for longest ago is forgotten first.

type Stay = { backend: string; until: number };

const MAX_SESSIONS = 20_000;

export class Sessions {
  /** By hash of route, tenant and session; in the order of their last requests. */
  readonly #stays = new Map<number, Stay>();

  /** The backend of its last request, less than `ttl` ago. */
  last(session: number, now: number): string | undefined {
    const stay = this.#stays.get(session);
    return stay && now < stay.until ? stay.backend : undefined;
  }

  /** @param until monotonic milliseconds */
  went(session: number, backend: string, until: number): void {
    this.#stays.delete(session);
    this.#stays.set(session, { backend, until });
    if (this.#stays.size > MAX_SESSIONS) for (const oldest of this.#stays.keys()) return void this.#stays.delete(oldest);
  }
}
