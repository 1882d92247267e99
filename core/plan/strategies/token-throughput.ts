// TokenThroughput: who would be done first with all the tokens that are expected of it, this request's among them. A candidate whose speed
// is not known counts as fast as the fastest, until what it was given says otherwise.
import type { PlanContext } from '../context.ts';
import { expectedOutput } from '../expected-cost.ts';
import { bestOfTwo, byScore } from './order.ts';
import type { Figure, Standing, Strategy } from './strategy.ts';

const expectedTokens = ({ needs }: PlanContext): number => needs.inputTokens() + expectedOutput(needs);
const seconds = ({ health }: Standing, more: number, rate: number): number => (health.outstandingTokens + more) / rate;

const figure: Figure = {
  name: 'expected tokens / tokens a second, s',
  of(standing, context) {
    const rate = standing.health.tokensPerSecond;
    return rate === undefined ? undefined : seconds(standing, expectedTokens(context), rate);
  },
};

export const tokenThroughput: Strategy = {
  order(standings, context) {
    const more = expectedTokens(context);
    let fastest = 0;
    for (const { health } of standings) fastest = Math.max(fastest, health.tokensPerSecond ?? 0);
    for (const standing of standings) standing.score = seconds(standing, more, standing.health.tokensPerSecond || fastest || 1);
    if (context.pods > 1) bestOfTwo(standings, context.random);
    else byScore(standings, context.random);
  },
  figure,
};
