// Traces of requests: noted from beside the loop while a request is under way, and made into spans when it is over. One that is not sampled,
// as most may be, costs next to nothing.
import type { AttemptPurpose, CostRecord } from '#core/accounting/cost-record.ts';
import type { Failure } from '#core/failure.ts';
import type { Admitter, Reserved, Widened } from '../admission/admission.ts';
import type { Exchange } from '../exchange.ts';
import type { Answers, HookTold, Observer, Tracing } from '../ports.ts';
import type { Trip } from '../trip.ts';
import type { RequestTrace } from './request-trace.ts';
import { type TraceParent, traceParentIn, traceParentText, traceStateIn } from './trace-context.ts';

export type TracingParts = {
  /** Of a request that begins here or, with a parent, goes on here. */
  sampled(parent: TraceParent | undefined): boolean;
  /** Takes a request that is over. */
  export(trace: RequestTrace): void;
  /** Bytes of chance, in hex. */
  randomHex(bytes: number): string;
  readonly now: () => number;
  readonly monotonic: () => number;
};

/** Of a request that is under way and not sampled, as its parent is not: its upstreams are told so. */
type Unsampled = { readonly own: TraceParent; readonly state: string | undefined; readonly isSampled: false };
type UnderWay = (RequestTrace & { readonly isSampled: true }) | Unsampled;

/** A stream may be checked in many windows. */
const MAX_STEPS = 128;

/** Rows of the gateway's own, which belong to no request. */
const OWN: ReadonlySet<AttemptPurpose | undefined> = new Set(['embedding', 'sample', 'cache-judge']);

export class RequestTraces implements Tracing, Observer {
  readonly #parts: TracingParts;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(parts: TracingParts) {
    this.#parts = parts;
  }

  around(exchange: Exchange, serve: () => Promise<void>): Promise<void> {
    const parent = traceParentIn(exchange.headers.traceparent);
    const isSampled = this.#parts.sampled(parent);
    return isSampled || parent ? this.#noted(exchange, this.#begin(exchange, parent, isSampled), serve) : serve();
  }

  async #noted(exchange: Exchange, trace: UnderWay, serve: () => Promise<void>): Promise<void> {
    this.#underWay.set(exchange.id, trace);
    try {
      await serve();
    } finally {
      this.#underWay.delete(exchange.id);
      if (trace.isSampled) {
        if (trace.endedAt === 0) trace.endedAt = this.#at(trace);
        this.#parts.export(trace);
      }
    }
  }

  outgoing(requestId: string, attempt: number, headers: Record<string, string>): void {
    const trace = this.#underWay.get(requestId);
    if (!trace) return;
    const { own, state } = trace;
    const spanId = trace.isSampled ? this.#parts.randomHex(8) : own.spanId;
    if (trace.isSampled) trace.attempts.set(attempt, spanId);
    headers.traceparent = traceParentText({ ...own, spanId });
    if (state !== undefined) headers.tracestate = state;
  }

  refused(exchange: Exchange, reason: Failure): void {
    const trace = this.#sampled(exchange.id);
    if (!trace) return;
    trace.refusal = reason;
    trace.endedAt = this.#at(trace);
  }

  served(trip: Trip): void {
    const trace = this.#sampled(trip.exchange.id);
    if (!trace) return;
    trace.trip = trip;
    trace.endedAt = this.#at(trace);
  }

  attempted(row: CostRecord): void {
    if (!OWN.has(row.purpose)) this.#sampled(row.requestId)?.rows.push(row);
  }

  hooked({ id }: Exchange, { hook, when, outcome, startedAt, ms }: HookTold): void {
    const trace = this.#sampled(id);
    if (!trace || trace.steps.length >= MAX_STEPS) return;
    const attributes = { 'tollgate.hook': hook, 'tollgate.hook.when': when, 'tollgate.hook.outcome': outcome };
    const from = trace.epoch + startedAt;
    trace.steps.push({ spanId: this.#parts.randomHex(8), name: 'hook', from, to: from + ms, attributes });
  }

  /** The same admitter, watched. */
  admitter(admitter: Admitter): Admitter {
    const timed = async <T extends Reserved | Widened>(trace: RequestTrace, ask: () => T | Promise<T>): Promise<T> => {
      const from = this.#at(trace);
      const reserved = await ask();
      const { kind, failMode } = { failMode: undefined, ...reserved };
      const attributes = { 'tollgate.admission': kind, ...(failMode && { 'tollgate.fail_mode': failMode }) };
      trace.steps.push({ spanId: this.#parts.randomHex(8), name: 'admission', from, to: this.#at(trace), attributes });
      return reserved;
    };
    return {
      ...admitter,
      reserve: (demand, key, row) => {
        const trace = this.#sampled(demand.id);
        const ask = () => admitter.reserve(demand, key, row);
        return trace ? timed(trace, ask) : ask();
      },
      extend: (extension, key, rows) => {
        const trace = this.#sampled(extension.id);
        const ask = () => admitter.extend(extension, key, rows);
        return trace ? timed(trace, ask) : ask();
      },
    };
  }

  /** The same cache, watched. */
  answers(answers: Answers): Answers {
    return {
      allowance: answers.allowance,
      visit: async (exchange, call) => {
        const trace = this.#sampled(exchange.id);
        if (!trace) return answers.visit(exchange, call);
        const from = this.#at(trace);
        const visit = await answers.visit(exchange, call);
        const { tier, similarity, bypass, waited } = visit.told;
        const attributes = {
          'tollgate.cache': visit.state,
          ...(tier && { 'tollgate.cache.tier': tier }),
          ...(similarity !== undefined && { 'tollgate.cache.similarity': similarity }),
          ...(bypass !== undefined && { 'tollgate.cache.bypass': bypass }),
          ...(waited && { 'tollgate.cache.waited': true }),
        };
        trace.steps.push({ spanId: this.#parts.randomHex(8), name: 'cache', from, to: this.#at(trace), attributes });
        return visit;
      },
    };
  }

  #begin(exchange: Exchange, parent: TraceParent | undefined, isSampled: boolean): UnderWay {
    const { randomHex, now } = this.#parts;
    const own = { traceId: parent?.traceId ?? randomHex(16), spanId: randomHex(8), sampled: isSampled };
    const state = parent && traceStateIn(exchange.headers.tracestate);
    if (!isSampled) return { own, state, isSampled };
    const epoch = now() - this.#parts.monotonic();
    const nothing = { endedAt: 0, trip: undefined, refusal: undefined };
    return { own, parent, state, exchange, epoch, steps: [], attempts: new Map(), rows: [], ...nothing, isSampled };
  }

  /** Now, in epoch milliseconds that never go back. */
  #at({ epoch }: RequestTrace): number {
    return epoch + this.#parts.monotonic();
  }

  #sampled(requestId: string): (RequestTrace & { readonly isSampled: true }) | undefined {
    const trace = this.#underWay.get(requestId);
    return trace?.isSampled ? trace : undefined;
  }
}
