// How much a model is asked to think: by a level or by a budget, as the model knows it.
import type { ChatRequest, Effort, ThinkingRequest } from '#core/chat/request.ts';
import { abilitiesOf, type Level } from './models.ts';

type Config = Readonly<Record<string, unknown>>;

/** `lost`: the request asked for thinking and does not get it. */
export type ThinkingPlan = { readonly config?: Config; readonly lost: boolean };

/** -1 leaves it to the model. */
const DYNAMIC = -1;

const budgets: Readonly<Record<Exclude<Effort, 'none'>, number>> = {
  minimal: 512,
  low: 2048,
  medium: 8192,
  high: 24_576,
  xhigh: 32_768,
  max: 32_768,
};

const scale: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** Thoughts are shown to who asks for thinking; they cost the same unseen. */
export function planThinking({ thinking: asked }: ChatRequest, upstreamName: string): ThinkingPlan {
  const { thinking } = abilitiesOf(upstreamName);
  if (!asked) return { lost: false };
  const isOff = asked.kind === 'disabled' || (asked.kind === 'effort' && asked.effort === 'none');
  switch (thinking.by) {
    case 'nothing':
      return { lost: !isOff };
    case 'budget': {
      const thinkingBudget = isOff ? thinking.min : within(budgetOf(asked), thinking.min, thinking.max);
      return { config: { thinkingBudget, ...(!isOff && { includeThoughts: true }) }, lost: false };
    }
    case 'level': {
      const effort = isOff ? 'none' : effortOf(asked);
      const thinkingLevel = effort && nearest(effort, thinking.levels).toUpperCase();
      return { config: { ...(thinkingLevel && { thinkingLevel }), ...(!isOff && { includeThoughts: true }) }, lost: false };
    }
  }
}

const within = (budget: number, min: number, max: number): number =>
  budget === DYNAMIC ? budget : Math.min(Math.max(budget, min), max);

function budgetOf(asked: ThinkingRequest): number {
  if (asked.kind === 'budget') return asked.tokens;
  const effort = asked.kind === 'disabled' ? undefined : asked.effort;
  return effort === undefined || effort === 'none' ? DYNAMIC : budgets[effort];
}

/** undefined: the model decides. */
function effortOf(asked: ThinkingRequest): Effort | undefined {
  if (asked.kind === 'budget') return scale.slice(1).find(effort => asked.tokens <= budgets[effort as Level]) ?? 'high';
  return asked.kind === 'disabled' ? 'none' : asked.effort;
}

/** The level itself where the model knows it, else the next lower one, else its lowest. */
function nearest(wanted: Effort, levels: readonly Level[]): Level {
  const rank = scale.indexOf(wanted);
  return levels.findLast(level => scale.indexOf(level) <= rank) ?? levels[0]!;
}
