// A request along a cascade: the answer of a cheap backend is held back until it is found good enough; else the next one is asked. Each
// stage is an attempt as any other: let in, covered, written down and paid, and so is what a judge says of it.
import { type Accept, type Shortfall, shortfallOf, textOf } from '#core/cascade/accept.ts';
import { firstStep, promptText, scoreOf } from '#core/cascade/begin.ts';
import { judgeRequest, verdictOf } from '#core/cascade/judge.ts';
import { acceptOf, beginAt, nextAfter } from '#core/cascade/steps.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import { failure } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { Cascade } from '#core/snapshot/snapshot.ts';
import { beginStream } from './answer.ts';
import { asideOf } from './aside.ts';
import type { AttemptResult } from './attempt.ts';
import { dispatch } from './dispatch.ts';
import { HeldAnswer } from './held-answer.ts';
import type { Ports } from './ports.ts';
import { scored } from './scorer.ts';
import { type ChatTrip, isChatTrip, type Leg, Trip } from './trip.ts';

type Judge = NonNullable<Accept['judge']>;
/** `unread`: an answer that is too large to be looked at, or a request that cannot be read. */
type Verdict = Shortfall | 'unread';

export class CascadeRun {
  readonly #trip: ChatTrip;
  readonly #cascade: Cascade;
  /** A spent budget may bring another one, which is no cascade. */
  readonly #plan: Plan;
  readonly #ports: Ports;
  #request: ChatRequest | undefined;

  private constructor(trip: ChatTrip, cascade: Cascade, ports: Ports) {
    this.#trip = trip;
    this.#cascade = cascade;
    this.#plan = trip.plan;
    this.#ports = ports;
    trip.verdicts = new Map();
  }

  /** undefined: the route has none, or the request asks for no answer. */
  static of(trip: Trip, ports: Ports): CascadeRun | undefined {
    const cascade = trip.plan.route?.cascade;
    return cascade && isChatTrip(trip) && trip.exchange.action === 'generate' ? new CascadeRun(trip, cascade, ports) : undefined;
  }

  /** Where to begin: at the first step, or where a scorer says. */
  async firstLeg(): Promise<Leg> {
    const { scorer } = this.#cascade;
    const request = scorer && this.#read();
    const body = request && JSON.stringify({ model: request.model, prompt: promptText(request) });
    const score = body === undefined ? undefined : scoreOf((await scored(this.#ports.http, scorer!, body)) ?? '');
    const index = beginAt(firstStep(score, this.#cascade), this.#trip.candidates, this.#cascade);
    this.#trip.current = index;
    return { ...this.#trip.firstLeg(), index };
  }

  /** One attempt, and, where its answer is not accepted, those at the steps after it. */
  async attempt(first: Leg): Promise<AttemptResult> {
    const { tried, verdicts } = this.#trip;
    for (let leg = first; ; ) {
      const candidate = this.#trip.candidates[leg.index]!;
      const accept = this.#isOn && !leg.continuation && acceptOf(candidate, this.#cascade);
      if (!accept) return this.#openly(leg, candidate);
      const answer = new HeldAnswer(this.#trip.exchange.client, candidate.model, accept.minConfidence !== undefined);
      const result = await dispatch(this.#trip, { ...leg, client: answer }, this.#ports, answer);
      if (!this.#isOn || result.kind === 'abandoned') return result;
      if (result.kind !== 'answered') return this.#failed(candidate, result);
      const verdict = await this.#verdict(answer, accept);
      verdicts!.set(candidate.backend, verdict ?? 'accepted');
      if (this.#trip.exchange.client.gone) return { ...result, kind: 'abandoned' };
      if (!verdict) return this.#serve(answer, result);
      const next = nextAfter(leg.index, tried);
      if (next === undefined) return { ...result, kind: 'refused', reply: undefined, failure: noneAccepted() };
      this.#trip.current = next;
      leg = { index: next, purpose: 'cascade', client: this.#trip.exchange.client };
    }
  }

  get #isOn(): boolean {
    return this.#trip.plan === this.#plan;
  }

  /** The last step, or a backend that is none: whatever it answers goes to the client as it comes. */
  async #openly(leg: Leg, candidate: Candidate): Promise<AttemptResult> {
    this.#trip.verdicts!.set(candidate.backend, 'accepted');
    const result = await dispatch(this.#trip, leg, this.#ports);
    return result.kind === 'answered' ? result : this.#failed(candidate, result);
  }

  /** What broke off has not reached the client where it was held back: it is as if it had been refused. */
  #failed(candidate: Candidate, result: AttemptResult): AttemptResult {
    this.#trip.verdicts!.set(candidate.backend, result.failure?.class ?? 'client_closed');
    return result.kind === 'broken' && !this.#trip.hasSpoken ? { ...result, kind: 'refused' } : result;
  }

  #serve(answer: HeldAnswer, result: AttemptResult): AttemptResult {
    if (result.reply) return { ...result, reply: answer.whole(result.reply) };
    const { client } = this.#trip.exchange;
    beginStream(this.#trip, result.upstreamHeaders, this.#ports.monotonic(), this.#ports);
    client.write(answer.stream());
    client.endStream();
    return result;
  }

  // ------------------------------------------------------------ verdicts

  async #verdict(answer: HeldAnswer, accept: Accept): Promise<Verdict | undefined> {
    const [reply, request] = [answer.reply(), this.#read()];
    if (!reply || !request) return 'unread';
    const shortfall = shortfallOf(reply, accept, request, this.#ports.fitsSchema);
    if (shortfall || !accept.judge) return shortfall;
    const score = await this.#judged(accept.judge, request, reply);
    return score !== undefined && score >= accept.judge.minScore ? undefined : 'judge';
  }

  #read(): ChatRequest | undefined {
    if (this.#request) return this.#request;
    const { exchange, call } = this.#trip;
    const decoded = exchange.frontend.decode(call.body);
    if (decoded.ok) this.#request = decoded.value;
    return this.#request;
  }

  /** 0..1; undefined: there is no judge to be had, or it says no number. */
  async #judged(judge: Judge, request: ChatRequest, reply: ChatReply): Promise<number | undefined> {
    const trip = this.#trip;
    const asked = asideOf(trip, 'judge', judge, model => judgeRequest(model, request, reply));
    if (!asked) return undefined;
    const { exchange, call } = asked;
    const answer = new HeldAnswer(exchange.client, call.plan.candidates[0]!.model, false);
    const aside = new Trip(exchange, call, this.#ports, trip);
    const result = await dispatch(aside, { index: 0, purpose: 'judge', client: answer }, this.#ports, answer);
    trip.attempts = aside.attempts;
    trip.upstreamMs += aside.upstreamMs;
    const said = result.kind === 'answered' ? answer.reply() : undefined;
    return said && verdictOf(textOf(said.parts));
  }
}

const noneAccepted = () => failure('no_backend', { message: 'No backend gave an answer that its route accepts.' });
