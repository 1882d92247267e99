// W3C Trace Context (www.w3.org/TR/trace-context): what says which trace a request belongs to.

export type TraceParent = {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
};

const PATTERN = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** undefined: there is none, or it makes no sense, which is the same (section 3.2.2.5). */
export function traceParentIn(header: string | string[] | undefined): TraceParent | undefined {
  if (typeof header !== 'string') return undefined;
  const [, version, traceId, spanId, flags, more] = PATTERN.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined || version === 'ff') return undefined;
  // A later version may say more; this one does not.
  if (version === '00' && more !== undefined) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export const traceParentText = ({ traceId, spanId, sampled }: TraceParent): string =>
  `00-${traceId}-${spanId}-0${sampled ? 1 : 0}`;

/** What vendors add to it: passed on as it came, within the bound that everybody has to take (section 3.3.1.5). */
export const traceStateIn = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && header.length <= 512 ? header : undefined;
