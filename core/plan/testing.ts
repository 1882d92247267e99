// Builders for tests of plans: a candidate and how its backend is, with everything a test does not care about filled in.
import type { TargetHealth } from '../health/health.ts';
import { aModel, aProvider } from '../snapshot/testing.ts';
import { millis } from '../units.ts';
import type { Candidate } from './candidate.ts';
import { hashText } from './hash.ts';
import type { Standing } from './strategies/strategy.ts';

export const aCandidate = (backend: string, more: Partial<Candidate> = {}): Candidate => ({
  backend,
  provider: aProvider(backend),
  model: aModel('m'),
  priority: 0,
  weight: 1,
  ...more,
});

/** Healthy, idle and unknown but for what is given. */
export const aHealth = ({
  latencyMs,
  ...more
}: Partial<Omit<TargetHealth, 'latency'>> & { readonly latencyMs?: number | undefined } = {}): TargetHealth => ({
  openUntil: 0,
  mayTry: true,
  inFlight: 0,
  outstandingTokens: 0,
  tokensPerSecond: undefined,
  errorRate: undefined,
  latency: () => (latencyMs === undefined ? undefined : millis(latencyMs)),
  usage: undefined,
  engine: undefined,
  ...more,
});

export const aStanding = (candidate: Candidate, health: TargetHealth = aHealth()): Standing => ({
  candidate,
  health,
  hash: hashText(candidate.backend),
  weight: candidate.weight,
  score: 0,
});
