// Semantic: the backend of the task whose examples are nearest to what is asked; the others follow by their weights.
import { byScore } from './order.ts';
import type { Figure, Strategy } from './strategy.ts';

const figure: Figure = {
  name: 'task: 0 of the nearest, 1 of another',
  of: ({ candidate }, { needs }) => (needs.task ? Number(candidate.backend !== needs.task.backend) : undefined),
};

export const semantic: Strategy = {
  order(standings, { needs, random }) {
    for (const standing of standings) standing.score = Number(standing.candidate.backend !== needs.task?.backend);
    byScore(standings, random);
  },
  figure,
};
