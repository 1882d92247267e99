// One row of the cost log: one upstream attempt, with everything finance and the person on call ask about it.
import type { Dialect } from '../chat/dialect.ts';
import type { Usage } from '../chat/usage.ts';
import type { FailureClass } from '../failure.ts';
import type { EpochMillis, Millis, NanoUsd } from '../units.ts';

export type CostRecord = {
  /** Our own UUIDv7. Unique together with `attempt`. */
  readonly requestId: string;
  /** From 0, in the order the attempts were begun. */
  readonly attempt: number;
  readonly at: EpochMillis;
  readonly tenant: string;
  readonly keyId: string;
  readonly keyAlias: string | undefined;
  /** The client's own name for its end user, as sent. */
  readonly userId: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** `namespace/name`; undefined for a direct `<provider>/<model>` call. */
  readonly route: string | undefined;
  readonly modelRequested: string;
  /** As the upstream named it; before its answer, the upstream name of the backend's model. */
  readonly model: string;
  readonly provider: string;
  readonly endpoint: string;
  /** What the client speaks. */
  readonly dialect: Dialect;
  readonly streamed: boolean;
  /** HTTP status of the upstream; 0 when there was no answer. */
  readonly upstreamStatus: number;
  /** undefined: the attempt succeeded. */
  readonly failure: FailureClass | undefined;
  /** How many backends were tried before this one. */
  readonly fallbackPosition: number;
  /** How often this backend was tried before, for this request. */
  readonly retryPosition: number;
  /** The provider's id of the answer. */
  readonly upstreamId: string | undefined;
  readonly usage: Usage;
  /** The token counts are ours, not the provider's. */
  readonly estimated: boolean;
  /** null: the price of the model is not known. */
  readonly cost: NanoUsd | null;
  readonly priceSource: string | undefined;
  readonly priceVersion: string | undefined;
  /** The provider may have billed a failed attempt without telling. */
  readonly possiblyBilled: boolean;
  /** From the start of the attempt to its first content token, for streams, or to the complete answer. */
  readonly firstToken: Millis | undefined;
  readonly duration: Millis;
};
