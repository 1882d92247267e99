// When a target gets nothing for a while: open after failures, half-open to try whether it works again, closed by a success.

export type BreakerState = 'closed' | 'half-open' | 'open';
