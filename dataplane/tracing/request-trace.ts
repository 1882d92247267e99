// What is noted of one request while it is under way: where it belongs, and when what was done for it.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Failure } from '#core/failure.ts';
import type { Exchange } from '../exchange.ts';
import type { Trip } from '../trip.ts';
import type { TraceParent } from './trace-context.ts';

/** A part of the request that is no attempt. Epoch milliseconds. */
export type Step = {
  readonly spanId: string;
  readonly name: 'admission' | 'cache' | 'hook';
  readonly from: number;
  readonly to: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
};

export type RequestTrace = {
  readonly own: TraceParent;
  readonly parent: TraceParent | undefined;
  readonly state: string | undefined;
  readonly exchange: Exchange;
  /** What a monotonic time has to be moved by to be epoch milliseconds. */
  readonly epoch: number;
  readonly steps: Step[];
  /** Ids of spans, by the numbers of the attempts. */
  readonly attempts: Map<number, string>;
  readonly rows: CostRecord[];
  /** Epoch milliseconds. */
  endedAt: number;
  trip: Trip | undefined;
  refusal: Failure | undefined;
};
