// An outage is learnt once: what this process's breakers do is told to the others by way of Redis, off every request's path, and what theirs
// do is merged into these. While a breaker is half-open the processes that are asked for it claim the places of its probes. While Redis
// is away each process goes on by itself, and tells what it learnt when it is back.
import { readFileSync } from 'node:fs';
import type { Learnt } from '#core/health/breaker.ts';
import type { RedisLink } from '#platform/redis.ts';
import { runScript, scriptOf } from '#platform/redis-script.ts';
import type { BreakerId, Observations, Tripped } from './observations.ts';

const KEY = 'tollgate:{health}:breakers';
const EVERY_MS = 100;
/** Places are claimed this long before the cooldown is over, so that they are known when it is. */
const AHEAD_MS = 250;
/** A process that nobody asks for a target wants no place to probe it. */
const ASKED_MS = 2_000;
const CLAIM_MS = 1_000;
/** What was heard of others' places stands for so long. */
const HEARD_MS = 3 * EVERY_MS;

/** Times as ages and remainders, in ms. */
type Told = {
  readonly id: BreakerId;
  readonly kind: Learnt['kind'];
  readonly age: number;
  readonly left: number;
  readonly cooldown: number;
};
type Claim = { readonly id: BreakerId; readonly places: number };
type Reply = {
  readonly version: string;
  readonly news: readonly Told[] | Record<string, never>;
  readonly held: Readonly<Record<BreakerId, number>>;
};

export class SharedBreakers {
  readonly #link: RedisLink;
  readonly #pod: string;
  readonly #own: Observations;
  readonly #now: () => number;
  readonly #script = scriptOf(readFileSync(new URL('./scripts/breakers-1.lua', import.meta.url), 'utf8'));
  readonly #timer: NodeJS.Timeout;
  /** Breakers whose last change is not told yet. */
  readonly #untold = new Set<BreakerId>();
  #version = '';
  /** Since the first answer; what was learnt before it is older than this process. */
  #hasHeard = false;
  #isAsking = false;
  #askAgain = false;
  #isLearning = false;

  /** @param pod names this process, and no process before it */
  constructor(link: RedisLink, pod: string, own: Observations, now: () => number) {
    this.#link = link;
    this.#pod = pod;
    this.#own = own;
    this.#now = now;
    own.onBreaker = (id, _, to) => {
      if (this.#isLearning || to === 'half-open') return;
      this.#untold.add(id);
      void this.#ask();
    };
    this.#timer = setInterval(() => void this.#ask(), EVERY_MS).unref();
    void this.#ask();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#own.onBreaker = () => {};
  }

  /** One at a time. Never rejects: that Redis is away is known elsewhere. */
  async #ask(): Promise<void> {
    if (this.#isAsking) {
      this.#askAgain = true;
      return;
    }
    this.#isAsking = true;
    this.#askAgain = false;
    const told = [...this.#untold];
    this.#untold.clear();
    try {
      const reply = await this.#sent(
        told.flatMap(id => this.#toldOf(id)),
        this.#claims(),
      );
      if (reply) this.#heard(reply);
      this.#hasHeard = true;
    } catch {
      for (const id of told) this.#untold.add(id);
    } finally {
      this.#isAsking = false;
    }
    if (this.#askAgain && this.#link.state().kind === 'up') void this.#ask();
  }

  async #sent(changes: readonly Told[], claims: readonly Claim[]): Promise<Reply | undefined> {
    const message = changes.length + claims.length > 0 ? JSON.stringify({ changes, claims }) : '';
    const args = [KEY, this.#pod, this.#version, message, String(CLAIM_MS)];
    const reply = String(await this.#link.call(client => runScript(client, this.#script, 1, args)));
    return reply === '' ? undefined : (JSON.parse(reply) as Reply);
  }

  #toldOf(id: BreakerId): Told[] {
    const learnt = this.#own.breaker(id)?.learnt;
    if (!learnt) return [];
    const now = this.#now();
    const age = now - learnt.at;
    return learnt.kind === 'closed'
      ? [{ id, kind: 'closed', age, left: 0, cooldown: 0 }]
      : [{ id, kind: 'opened', age, left: learnt.until - now, cooldown: learnt.cooldown }];
  }

  #claims(): Claim[] {
    const now = this.#now();
    const isWanted = ({ breaker, askedAt }: Tripped) =>
      breaker.openUntil - now <= AHEAD_MS && (breaker.isProbing(now) || now - askedAt <= ASKED_MS);
    return this.#own
      .tripped()
      .filter(isWanted)
      .map(({ id, settings }) => ({ id, places: settings.halfOpenProbes }));
  }

  #heard({ version, news, held }: Reply): void {
    // Redis has lost what it was told.
    if (this.#version !== '' && bornOf(version) !== bornOf(this.#version))
      for (const { id } of this.#own.tripped()) this.#untold.add(id);
    this.#version = version;
    const now = this.#now();
    this.#isLearning = true;
    for (const told of Array.isArray(news) ? (news as readonly Told[]) : []) this.#learn(told, now);
    this.#isLearning = false;
    for (const [id, places] of Object.entries(held)) this.#own.breaker(id)?.heldElsewhere(places, now + HEARD_MS);
  }

  #learn({ id, kind, age, left, cooldown }: Told, now: number): void {
    const breaker = this.#own.breaker(id);
    if (!breaker) return;
    breaker.learn(kind === 'closed' ? { kind, at: now - age } : { kind, at: now - age, until: now + left, cooldown }, now);
    // Who starts anew may have come with the credential that was missing.
    if (!this.#hasHeard && this.#own.isAccount(id)) breaker.reconsider(now);
  }
}

const bornOf = (version: string): string => version.slice(0, version.indexOf(':'));
