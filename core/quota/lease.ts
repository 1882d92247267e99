// What the pods of a fleet and the pool of a provider's quota tell each other. All limits are those of one provider.

export const dims = ['slots', 'requests', 'tokens'] as const;
/** `slots` are requests at the same time; `requests` and `tokens` count over 60 s. */
export type Dim = (typeof dims)[number];
export type Amounts = Record<Dim, number>;
/** A dimension that is absent has no limit. */
export type Limits = Readonly<Partial<Amounts>>;

export const nothing: Readonly<Amounts> = { slots: 0, requests: 0, tokens: 0 };

/** What a pod says of itself. What it holds is absolute, so that a report that is lost or late does no harm. */
export type Report = {
  readonly pod: string;
  /** Of `used`, `refunds` and `passed`: a number that the pool has had is not counted twice. */
  readonly seq: number;
  /** The state of the pool the pod knows; 0: none. */
  readonly born: number;
  readonly limits: Limits;
  /** All that the pool must count as this pod's, and not in `used` of this report or an earlier one; its busy slots included. */
  readonly hold: Amounts;
  readonly busy: number;
  readonly used: { readonly requests: number; readonly tokens: number };
  /** Tokens that requests counted in earlier seconds did not use, by that second. */
  readonly refunds: Readonly<Record<string, number>>;
  /** Requests let through. */
  readonly passed: number;
  /** What waits for it, and what is wanted altogether: that and a block for the moments to come. */
  readonly need: Amounts;
  readonly want: Amounts;
};

export type Reply = {
  readonly born: number;
  /** The pool has lost what the pod told it: nothing of the report was taken. */
  readonly lost: boolean;
  /** The second, in the pool's own time, in which `used` is counted. */
  readonly second: number;
  readonly granted: Amounts;
  /** Another pod has waited longer: give back what is idle. */
  readonly yield: boolean;
  /** What waits here can have nothing now: no other pod holds anything idle. */
  readonly exhausted: boolean;
  /** Milliseconds until the oldest use leaves the window that is full; 0: not known. */
  readonly roomIn: number;
  /** What all pods together have used in the window, as far as they have reported. */
  readonly used: { readonly requests: number; readonly tokens: number };
};

/** A pod that is silent for this long is dead: its slots are free, what it held of the windows counts as used. */
export const LEASE_MS = 3_000;
/** A pool that knows nothing yet hears of all pods before it grants: they report four times a second. */
export const SETTLE_MS = 500;
/** A pod that waits and is silent for this long is not waited for. */
export const HUNGRY_MS = 1_000;
/** 60 s, and the second in which a use fell: no span of 60 s sees more than the limit. */
export const WINDOW_SECONDS = 61;
