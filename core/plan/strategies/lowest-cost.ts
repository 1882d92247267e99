// LowestCost: the lowest price of this request: its estimated input, and the longest answer that it allows. A model of unknown price comes
// behind all others. Time on GPUs of one's own is paid for whether they are used or not: such a model costs what its tokens do.
import { expectedCost, expectedOutput } from '../expected-cost.ts';
import { byScore, UNKNOWN_SCORE } from './order.ts';
import type { Figure, Strategy } from './strategy.ts';

const figure: Figure = {
  name: 'expected cost, nano-USD',
  of({ candidate: { model } }, { needs }) {
    return model.price && expectedCost(model.price, needs.inputTokens(), expectedOutput(needs));
  },
};

export const lowestCost: Strategy = {
  order(standings, context, route) {
    for (const standing of standings) standing.score = figure.of(standing, context, route) ?? UNKNOWN_SCORE;
    byScore(standings, context.random);
  },
  figure,
};
