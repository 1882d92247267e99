// What a session costs, as it goes: each response is a row of the ledger, written down and covered before it can begin, and settled when it is
// told to be over. One reservation is for all of them, and grows.
import { type CostRecord, type Written, written } from '#core/accounting/cost-record.ts';
import { costBound, outputBound } from '#core/admission/bound.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import type { AttemptResult } from '../attempt.ts';
import { writeDown } from '../attempt-over.ts';
import type { Bound } from '../bounds.ts';
import type { Hold } from '../hold.ts';
import type { Ports } from '../ports.ts';
import { openRow, type RowBegun, settled } from '../settle.ts';

/** Longer than a session may be: until then its rows are its process's to settle. */
const LEASE_MS = 65 * 60_000;

/** What a model reads of which nobody said how much that is. */
const WINDOW = 128_000;

export type Ending = {
  readonly kind: AttemptResult['kind'];
  readonly usage: Usage;
  readonly estimated: boolean;
  readonly failure?: Failure | undefined;
  readonly upstreamId?: string | undefined;
};

export const nothingUsed: Ending = { kind: 'answered', usage: { ...noUsage, requests: 0 }, estimated: false };

/** What all rows of a session have in common. */
export type SessionFacts = Omit<RowBegun, 'attempt' | 'candidate' | 'endpoint' | 'at' | 'leaseUntil' | 'isFirst'>;

type Open = { readonly begun: RowBegun; readonly record: CostRecord; readonly since: number };

export class SessionAccount {
  readonly #base: SessionFacts;
  readonly #hold: Hold;
  readonly #ports: Ports;
  #attempts = 0;
  #open: Open | undefined;

  constructor(base: SessionFacts, hold: Hold, ports: Ports) {
    this.#base = base;
    this.#hold = hold;
    this.#ports = ports;
  }

  /** Covers the next response, and writes it down. @returns why it may not be */
  async begin(candidate: Candidate, endpoint: string): Promise<Failure | undefined> {
    const { model } = candidate;
    const [input, output] = [tokens(model.contextWindow ?? WINDOW), outputBound(undefined, 1, model)];
    const cost = costBound(input, output, model.price, { audio: true, duration: millis(0) });
    const covered = await this.#cover(candidate, endpoint, { cost, tokens: tokens(input + output) });
    if ('class' in covered) return covered;
    this.#open = covered;
    return undefined;
  }

  /** The response that was begun is over. */
  end(ending: Ending): void {
    const open = this.#open;
    this.#open = undefined;
    if (open) this.#hold.ended(this.#ended(open, ending));
  }

  /** What was done beside the responses: nobody asked for it by itself, and it is told when it is done. */
  besides(candidate: Candidate, endpoint: string, usage: Usage, estimated: boolean): Promise<Failure | undefined> {
    const begun = this.#next(candidate, endpoint);
    const record = openRow(begun, nanoUsd(0));
    const row = this.#ended({ begun, record, since: this.#ports.monotonic() }, { ...nothingUsed, usage, estimated });
    return this.#hold.besides(row);
  }

  /** The session is over. */
  async close(): Promise<void> {
    await this.#hold.settle();
  }

  async #cover(candidate: Candidate, endpoint: string, bound: Bound): Promise<Open | Failure> {
    const begun = this.#next(candidate, endpoint);
    const covered = await this.#hold.cover({
      attempt: begun.attempt,
      bounds: { bound: async () => bound, outputThatFits: async () => undefined },
      leaseUntil: begun.leaseUntil,
      mayClamp: false,
      row: reserved => openRow(begun, reserved),
    });
    if (covered.kind === 'refused') return covered.failure;
    if (covered.kind === 'downgrade') return covered.refusal;
    const { record, json } = covered.row;
    if (!this.#ports.costLog.record(record, json, !covered.copied)) return failure('store_unavailable');
    return { begun, record, since: this.#ports.monotonic() };
  }

  #next(candidate: Candidate, endpoint: string): RowBegun {
    const at = this.#ports.now() as EpochMillis;
    const attempt = this.#attempts++;
    const isFirst = attempt === 0;
    return {
      ...this.#base,
      attempt,
      candidate,
      endpoint,
      at,
      leaseUntil: epochMillis(at + LEASE_MS),
      isFirst: { ofProvider: isFirst, ofModel: isFirst, ofBoth: isFirst },
    };
  }

  /** Its row, written down. */
  #ended({ begun, record, since }: Open, { usage, estimated, ...ending }: Ending): Written {
    const result = {
      kind: ending.kind,
      failure: ending.failure,
      model: undefined,
      upstreamStatus: 101,
      upstreamId: ending.upstreamId,
      firstToken: undefined,
      duration: millis(this.#ports.monotonic() - since),
    };
    const row = written(settled(begun, record, { result, usage, estimated, gpuSeconds: undefined }));
    writeDown(row, this.#ports);
    return row;
  }
}
