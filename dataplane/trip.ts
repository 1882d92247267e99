// A request's way through its plan: where it is, what was tried, how long it may go on.
import type { AttemptPurpose, CostRecord } from '#core/accounting/cost-record.ts';
import type { Progress } from '#core/attempt/next-step.ts';
import type { Failure } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Plan } from '#core/plan/plan.ts';
import { type Millis, millis } from '#core/units.ts';
import type { AttemptResult, Claim, ClientSide } from './attempt.ts';
import { type Estimate, InputKnowledge } from './bounds.ts';
import type { Call } from './call.ts';
import { type ChatExchange, type Exchange, isChat } from './exchange.ts';
import { type Asking, Hold, type HoldPorts } from './hold.ts';
import { carriedBy } from './pinned.ts';
import type { Before } from './relay/translate.ts';
import type { CacheVisit, Heard } from './visit.ts';

export type TripPorts = HoldPorts & { readonly estimateTokens: Estimate };

/** A stream that broke off, and what another attempt needs to go on with it. */
export type Continuation = Before & {
  /** With what the client has of the answer as its last message. */
  readonly call: Call;
  readonly input: InputKnowledge;
  /** What is left of the answer that the client allowed. */
  readonly outputLimit: number | undefined;
  /** What broke the stream off: the client is told of it where nobody can go on. */
  readonly broken: Failure;
};

/** One attempt to be made: where, why, and for whom. */
export type Leg = {
  /** Of the candidate. */
  readonly index: number;
  readonly purpose: AttemptPurpose;
  /** Present: it goes on with a stream that broke off. */
  readonly continuation?: Continuation | undefined;
  /** The client, or this leg's share of it. */
  readonly client: ClientSide;
  /** Present: another leg may answer before this one does. */
  readonly race?: (Claim & { /** When the first of them was sent, monotonic. */ readonly since: number }) | undefined;
};

/** What a leg is told about the candidates at this moment. */
export type Standing = Pick<Progress, 'availableIn' | 'mayRetry' | 'elsewhereFirst'>;

export class Trip {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly input: InputKnowledge;
  readonly hold: Hold;
  /** Monotonic milliseconds; Infinity without a limit over all attempts. */
  readonly deadline: number;
  #plan: Plan;
  tried: number[];
  current = 0;
  /** Attempts begun, those that were kept back here among them. */
  made = 1;
  /** Attempts sent to an upstream. */
  attempts = 0;
  fallbacks = 0;
  possiblyBilled = 0;
  /** Milliseconds spent on waiting for backends to recover. */
  waited = 0;
  /** Milliseconds spent waiting for upstreams, finished attempts only. */
  upstreamMs = 0;
  readonly #attempted: Candidate[];
  /** Engines that attempts went to. */
  readonly endpoints: string[] = [];
  /** Attempts that lost: the client has its answer, and their rows are still to come. */
  readonly #stragglers: Promise<unknown>[] = [];
  /** Of the last attempt. */
  failure: Failure | undefined;
  /** Fields that the current target could not take. */
  dropped: readonly string[] = [];
  /** From the arrival of the request, where the answer was streamed. */
  firstTokenMs: number | undefined;
  /** What became of the answers of a cascade's backends, by their names in the route. */
  verdicts: Map<string, string> | undefined;
  /** Where the route has a cache. */
  visit: CacheVisit | undefined;
  /** The answer that goes to the client, where it may be kept. */
  heard: Heard | undefined;

  /** @param main present: this is a question of our own about that request, on its reservation and among its attempts */
  constructor(exchange: Exchange, call: Call, ports: TripPorts, main?: Trip) {
    this.exchange = exchange;
    this.call = call;
    this.#plan = call.plan;
    this.tried = call.plan.candidates.map(() => 0);
    const limit = call.envelope.controls.timeout ?? call.plan.route?.timeouts.request ?? Number.POSITIVE_INFINITY;
    this.deadline = exchange.startedAt + limit;
    this.input = new InputKnowledge(exchange, call.body, ports.estimateTokens, carriedBy(call));
    this.#attempted = main ? main.#attempted : [];
    this.attempts = main?.attempts ?? 0;
    this.fallbacks = main ? main.fallbacks : Number(standsIn(call.plan));
    this.hold = main?.hold ?? holdOf(exchange, call, ports);
  }

  get plan(): Plan {
    return this.#plan;
  }

  get candidates(): readonly Candidate[] {
    return this.#plan.candidates;
  }

  /** Goes on by another plan, from its beginning. */
  replan(plan: Plan): void {
    this.#plan = plan;
    this.tried = plan.candidates.map(() => 0);
    this.current = 0;
  }

  /** That answers, or was tried last. */
  get candidate(): Candidate {
    return this.candidates[this.current]!;
  }

  /** The first candidate of the plan. */
  firstLeg(): Leg {
    return { index: 0, purpose: 'first', client: this.exchange.client };
  }

  /** Another attempt, at the same candidate or at another one. */
  nextLeg(index: number, purpose: AttemptPurpose, continuation?: Continuation): Leg {
    this.made++;
    if (index !== this.current) this.fallbacks++;
    this.current = index;
    return { index, purpose, continuation, client: this.exchange.client };
  }

  /** The client has its answer, or the beginning of it, from this leg. */
  answersFrom({ index }: Leg, dropped: readonly string[], heard: Heard | undefined): void {
    this.current = index;
    this.dropped = dropped;
    if (this.heard !== heard) this.heard?.forget();
    this.heard = heard;
  }

  /** What rows and headers say of it. */
  get cacheState(): CostRecord['cache'] {
    return this.visit?.state ?? 'bypass';
  }

  /** The client has a part of an answer. */
  get hasSpoken(): boolean {
    return this.firstTokenMs !== undefined;
  }

  timeLeft(now: number): Millis {
    return millis(this.deadline - now);
  }

  progress(now: number, sent: boolean, standing: Standing): Progress {
    return {
      candidates: this.candidates,
      current: this.current,
      tried: this.tried,
      made: this.made,
      sent,
      possiblyBilled: this.possiblyBilled,
      timeLeft: this.timeLeft(now),
      waited: millis(this.waited),
      ...standing,
    };
  }

  /** Whether an attempt at the candidate is the request's first at its provider, its model, both. */
  isFirst({ provider, model }: Candidate): CostRecord['isFirst'] {
    const seen = this.#attempted;
    if (seen.length === 0) return FIRST_OF_ALL;
    return {
      ofProvider: !seen.some(c => c.provider.id === provider.id),
      ofModel: !seen.some(c => c.model.name === model.name),
      ofBoth: !seen.some(c => c.provider.id === provider.id && c.model.name === model.name),
    };
  }

  /** An attempt is sent. */
  began(candidate: Candidate): void {
    this.attempts++;
    this.#attempted.push(candidate);
  }

  /** Is over soon, and nobody waits for what comes of it. */
  leaveBehind(straggler: Promise<unknown>): void {
    this.#stragglers.push(straggler);
  }

  /** Once the client has its answer: gives back what is held, when all attempts are over. */
  settle(): void | Promise<void> {
    if (this.#stragglers.length === 0) return this.hold.settle();
    return Promise.allSettled(this.#stragglers).then(() => this.hold.settle());
  }

  ended({ duration, failure }: AttemptResult, { purpose }: Leg): void {
    // A hedge takes its time while another attempt takes the same.
    if (purpose !== 'hedge') this.upstreamMs += duration;
    if (failure?.possiblyBilled) this.possiblyBilled++;
  }
}

const FIRST_OF_ALL: CostRecord['isFirst'] = { ofProvider: true, ofModel: true, ofBoth: true };

/** Of a request about a conversation. */
export type ChatTrip = Trip & { readonly exchange: ChatExchange };

export const isChatTrip = (trip: Trip): trip is ChatTrip => isChat(trip.exchange);

/** The backend that was meant to answer: the first of the first priority, also where that is out for the moment. */
export const primaryOf = ({ candidates }: Plan): Candidate | undefined =>
  candidates.reduce<Candidate | undefined>((best, one) => (best && best.priority <= one.priority ? best : one), undefined);

/** The plan begins with a backend of a later priority, as those before it get nothing for the moment: it stands in for them. */
function standsIn(plan: Plan): boolean {
  const { candidates, route } = plan;
  return candidates.length > 1 && !route?.cascade && primaryOf(plan)!.priority < candidates[0]!.priority;
}

function holdOf({ id }: Exchange, { key, envelope }: Call, ports: HoldPorts): Hold {
  const { model: modelRequested } = envelope;
  const asking: Asking = (bound, leaseUntil) =>
    key.demands.of({ modelRequested, requestId: id, bound, leaseUntil, limitsAlone: false });
  return new Hold(asking, key, ports);
}
