// A second attempt beside one that is slow to its first token: whoever has something for the client first answers, the other is aborted.
// Both are attempts as any other: let in, covered, written down and paid.
import type { RouteEntry } from '#core/snapshot/snapshot.ts';
import type { AttemptResult, Claim, ClientSide, Running } from './attempt.ts';
import { dispatch } from './dispatch.ts';
import type { Client } from './exchange.ts';
import { isChat } from './exchange.ts';
import type { ClientListener } from './http/client-response.ts';
import type { Ports } from './ports.ts';
import type { Leg, Trip } from './trip.ts';

type Hedge = NonNullable<RouteEntry['hedge']>;

/** The first attempt of a request, with another beside it where its route hedges; any later one is alone. */
export function attempt(trip: Trip, leg: Leg, mayHedge: boolean, ports: Ports): Promise<AttemptResult> {
  const { route } = trip.plan;
  const isHedged = route?.hedge && leg.purpose === 'first' && isHedgeable(trip);
  return isHedged ? new Race(trip, route, route.hedge, ports).run(leg, mayHedge) : dispatch(trip, leg, ports);
}

/** A count is cheap, and what is passed on may make something, twice. */
const isHedgeable = ({ exchange: { action } }: Trip): boolean => action === 'generate' || action === 'unary';

class Race {
  readonly #trip: Trip;
  readonly #route: RouteEntry;
  readonly #hedge: Hedge;
  readonly #ports: Ports;
  readonly #client: SharedClient;
  readonly #runners: Runner[] = [];
  #winner: Runner | undefined;
  #second: Promise<AttemptResult> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the first attempt was sent, monotonic. */
  #since = 0;

  constructor(trip: Trip, route: RouteEntry, hedge: Hedge, ports: Ports) {
    this.#trip = trip;
    this.#route = route;
    this.#hedge = hedge;
    this.#ports = ports;
    this.#client = new SharedClient(trip.exchange.client);
  }

  async run(leg: Leg, mayHedge: boolean): Promise<AttemptResult> {
    const now = this.#ports.monotonic();
    this.#ports.hedges.requested(this.#route.id, now);
    const delay = mayHedge && this.#trip.candidates.length > 1 ? this.#delay(now) : undefined;
    const first = this.#runner(() => {
      this.#since = this.#ports.monotonic();
      if (delay !== undefined) this.#timer = setTimeout(() => this.#begin(), delay);
    });
    const result = await dispatch(this.#trip, { ...leg, client: first.client, race: first }, this.#ports);
    clearTimeout(this.#timer);
    this.#measure(result);
    if (!this.#second) return result;
    // Nobody waits for who lost: the client of an answer that is not streamed has not got it yet.
    if (this.#winner === first || result.kind === 'abandoned') {
      this.#trip.leaveBehind(this.#second);
      return result;
    }
    const other = await this.#second;
    return other.kind === 'refused' ? result : other;
  }

  /** undefined: nobody knows yet what is slow here. */
  #delay(now: number): number | undefined {
    const { after } = this.#hedge;
    if ('time' in after) return after.time;
    return this.#ports.health.routeFirstToken(this.#population).percentile(after.percentile, this.#route.latency.window, now);
  }

  /** A whole answer takes longer than the first token of a streamed one, and vectors take another time than words. */
  get #population(): string {
    const { exchange, call } = this.#trip;
    if (!isChat(exchange)) return `${this.#route.id} ${exchange.frontend.operation}`;
    return call.envelope.stream ? this.#route.id : `${this.#route.id} whole`;
  }

  #measure({ kind, firstToken, duration }: AttemptResult): void {
    if ('time' in this.#hedge.after || (kind !== 'answered' && kind !== 'lost')) return;
    this.#ports.health.routeFirstToken(this.#population).add(firstToken ?? duration, this.#ports.monotonic());
  }

  #begin(): void {
    const { health, hedges, monotonic } = this.#ports;
    const [trip, now] = [this.#trip, monotonic()];
    if (this.#winner || this.#client.gone) return;
    const index = trip.candidates.findIndex((candidate, i) => trip.tried[i] === 0 && health.of(candidate, now).openUntil === 0);
    if (index < 0 || !hedges.take(this.#route.id, this.#hedge.maxPercent, now)) return;
    const second = this.#runner(() => {});
    this.#second = dispatch(trip, { index, purpose: 'hedge', client: second.client, race: second }, this.#ports);
    // A bug in it is told by who waits for it, which may be later: until then it must not end the process.
    this.#second.catch(() => {});
  }

  #runner(onStart: () => void): Runner {
    const runner = new Runner(this.#client, {
      since: () => this.#since,
      onStart,
      claim: () => {
        this.#winner ??= runner;
        if (this.#winner !== runner) return false;
        for (const other of this.#runners) if (other !== runner) other.lose();
        return true;
      },
    });
    this.#runners.push(runner);
    return runner;
  }
}

/** What its attempts ask of a race. */
type RaceOf = { since(): number; onStart(): void; claim(): boolean };

/** One attempt of a race. */
class Runner implements Claim {
  readonly client: ClientShare;
  readonly #race: RaceOf;
  #attempt: Running | undefined;

  constructor(client: SharedClient, race: RaceOf) {
    this.client = client.share();
    this.#race = race;
  }

  get since(): number {
    return this.#race.since();
  }

  running(attempt: Running): void {
    this.#attempt = attempt;
    this.#race.onStart();
  }

  claim(): boolean {
    return this.#race.claim();
  }

  /** Before it was sent, as if its client had gone: nobody queues for it, and nothing is sent. */
  lose(): void {
    this.#attempt?.lose();
    this.client.leave();
  }
}

/** A client that several attempts would hear of. */
class SharedClient implements ClientListener {
  readonly #client: Client;
  readonly #shares: ClientShare[] = [];

  constructor(client: Client) {
    this.#client = client;
  }

  get gone(): boolean {
    return this.#client.gone;
  }

  share(): ClientShare {
    const share = new ClientShare(this.#client, () => this.#listen());
    this.#shares.push(share);
    return share;
  }

  clientLeft(): void {
    for (const share of this.#shares) share.listener?.clientLeft();
  }

  clientDrained(): void {
    for (const share of this.#shares) share.listener?.clientDrained();
  }

  /** Heard of while anybody listens. */
  #listen(): void {
    this.#client.listener = this.#shares.some(share => share.listener) ? this : undefined;
  }
}

class ClientShare implements ClientSide {
  readonly #client: Client;
  readonly #onListener: () => void;
  #listener: ClientListener | undefined;
  #hasLeft = false;

  constructor(client: Client, onListener: () => void) {
    this.#client = client;
    this.#onListener = onListener;
  }

  get began(): boolean {
    return this.#client.began;
  }

  get gone(): boolean {
    return this.#hasLeft || this.#client.gone;
  }

  get listener(): ClientListener | undefined {
    return this.#listener;
  }

  set listener(listener: ClientListener | undefined) {
    this.#listener = listener;
    if (this.#hasLeft) listener?.clientLeft();
    else this.#onListener();
  }

  /** Another attempt has the client for itself. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    const listener = this.#listener;
    this.listener = undefined;
    listener?.clientLeft();
  }

  write(chunk: Buffer | string): boolean {
    return this.#client.write(chunk);
  }

  endStream(): void {
    this.#client.endStream();
  }
}
