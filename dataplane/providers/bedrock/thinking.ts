// How much the model is asked to think: each family has fields of its own for it, and Converse passes them on as they are.
import type { ChatRequest, Effort, ThinkingRequest } from '#core/chat/request.ts';
import { abilitiesOf, planThinking } from '../anthropic/index.ts';
import type { LeavingOut } from '../leaving-out.ts';
import { asAnthropic } from './anthropic-target.ts';
import { traitsOf } from './models.ts';
import type { BedrockTarget } from './target.ts';

export type ThinkingFields = {
  /** For additionalModelRequestFields. */
  readonly more: Readonly<Record<string, unknown>>;
  readonly maxTokens: number | undefined;
  /** `both`: temperature and top_p in one request. */
  readonly forbids: 'nothing' | 'both' | 'sampling';
};

export function thinkingFields(request: ChatRequest, target: BedrockTarget, limits: LeavingOut): ThinkingFields {
  const asIs = { more: {}, maxTokens: request.maxOutputTokens, forbids: 'nothing' } as const;
  const { family } = traitsOf(target.model);
  if (family === 'claude') return claudeThinks(request, target, limits);
  const effort = request.thinking && effortOf(request.thinking);
  // Not to think is what a model does that cannot.
  if (effort === undefined || effort === 'none') return asIs;
  switch (family) {
    case 'openai':
      return { ...asIs, more: { reasoning_effort: effort } };
    case 'nova':
      return novaThinks(effort, request.maxOutputTokens);
    default:
      limits.leaveOut('thinking');
      return asIs;
  }
}

/** A high effort takes neither a limit nor samples. A limit counts more: a budget may depend on it. */
function novaThinks(wanted: Level, maxTokens: number | undefined): ThinkingFields {
  const effort = wanted === 'high' && maxTokens !== undefined ? 'medium' : wanted;
  const more = { reasoningConfig: { type: 'enabled', maxReasoningEffort: effort } };
  return { more, maxTokens, forbids: effort === 'high' ? 'sampling' : 'nothing' };
}

function claudeThinks(request: ChatRequest, target: BedrockTarget, limits: LeavingOut): ThinkingFields {
  const anthropicTarget = asAnthropic(target);
  const { thinking, effort, maxTokens, lost } = planThinking(request, anthropicTarget);
  if (lost) limits.leaveOut('thinking');
  const isOn = thinking !== undefined && thinking.type !== 'disabled';
  const { sampling, temperatureWithTopP } = abilitiesOf(anthropicTarget.model.upstreamName);
  return {
    more: { ...(thinking && { thinking }), ...(effort && { output_config: { effort } }) },
    maxTokens,
    forbids: isOn || !sampling ? 'sampling' : temperatureWithTopP ? 'nothing' : 'both',
  };
}

type Level = Extract<Effort, 'none' | 'low' | 'medium' | 'high'>;

/** Of tokens: from this budget on. */
const levelsOfBudget: readonly { readonly from: number; readonly level: Level }[] = [
  { from: 16_384, level: 'high' },
  { from: 4_096, level: 'medium' },
  { from: 0, level: 'low' },
];

const levels: Readonly<Record<Effort, Level>> = {
  none: 'none',
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};

/** undefined: the model's own. */
function effortOf(thinking: ThinkingRequest): Level | undefined {
  switch (thinking.kind) {
    case 'disabled':
      return 'none';
    case 'budget':
      return levelsOfBudget.find(({ from }) => thinking.tokens >= from)?.level;
    case 'effort':
      return levels[thinking.effort];
    case 'adaptive':
      return thinking.effort && levels[thinking.effort];
  }
}
