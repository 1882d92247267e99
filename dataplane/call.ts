// A request that may be attempted: who asks, what for, and which backends may answer it.
import type { Failure } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import type { RequestNeeds } from '#core/plan/needs.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { RequestFacts } from '#core/plan/route-index.ts';
import type { LiveConfig, LiveKey } from './config/live.ts';
import type { Envelope } from './frontends/frontend.ts';
import type { Pin } from './pins/pins.ts';

/** It keeps the configuration it began with. */
export type Call = {
  readonly config: LiveConfig;
  readonly key: LiveKey;
  readonly body: JsonView;
  readonly envelope: Envelope;
  readonly tags: Readonly<Record<string, string>>;
  /** What routes match by, and what of the request decides among their backends. */
  readonly facts: Omit<RequestFacts, 'model'> & { readonly needs: RequestNeeds };
  readonly plan: Plan;
  /** Where it has to go: what it goes on with is there. */
  readonly pin?: Pin | undefined;
  /** Of a request that makes a batch: what is held for it, whether or not it comes to be. */
  readonly batch?: BatchHeld | undefined;
};

export type BatchHeld = {
  made(id: string, pin: Omit<Pin, 'tokens'>): Promise<void>;
  /** @param why it was not made @param wasSent the provider was asked to make it */
  over(why: Failure | undefined, wasSent?: boolean): void;
};
