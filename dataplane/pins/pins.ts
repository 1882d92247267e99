// Where what providers keep for tenants is: responses that were stored, conversations, files. A later request that names one goes there and
// nowhere else. Ids are a provider's own and say nothing of who they belong to: what was not made by this tenant, through this gateway, is
// as if it were not there.
import type { ObjectId } from '#core/snapshot/snapshot.ts';

/** Something that a provider keeps, by what it is and its id there. */
export type StateKey = { readonly kind: string; readonly id: string };

export type Pin = {
  readonly provider: ObjectId;
  /** Public name of the model that made it, where a model did. */
  readonly model?: string;
  /** Of a provider with several. */
  readonly endpoint?: string;
  /** How many a request that names it has the model read besides its own; absent: nobody knows. */
  readonly tokens?: number;
  /** Made on a route that looks at answers before they are given: what its provider keeps, nobody looked at. */
  readonly isGuarded?: true;
  /** What else its maker has to know of it: small, and JSON. */
  readonly about?: Readonly<Record<string, unknown>>;
};

/** What is kept, and the tokens of it. */
export type PinnedKey = StateKey & Pick<Pin, 'tokens'>;

export type Pins = {
  /** One for each key; undefined: nobody of this tenant made it, or it was long ago. `away`: that is not known now. Never rejects. */
  find(tenant: string, keys: readonly StateKey[]): Promise<readonly (Pin | undefined)[] | 'away'>;
  /** Never rejects: what cannot be written is known to this process, and written as soon as it can be. */
  keep(tenant: string, keys: readonly PinnedKey[], pin: Omit<Pin, 'tokens'>): Promise<void>;
  /** Never rejects. */
  forget(tenant: string, key: StateKey): Promise<void>;
};

export const pinWith = (pin: Omit<Pin, 'tokens'>, { tokens }: PinnedKey): Pin =>
  tokens === undefined ? pin : { ...pin, tokens };

/** As long as OpenAI keeps a response, from when it was last named. */
export const PIN_TTL_MS = 30 * 86_400_000;
