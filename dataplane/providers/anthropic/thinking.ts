// How much the model is asked to think, and the output limit that goes with it.
import { signatureOf } from '#core/chat/foreign.ts';
import type { ChatRequest, Effort, Message, ThinkingRequest } from '#core/chat/request.ts';
import { abilitiesOf, type ModelAbilities } from './models.ts';
import type { AnthropicTarget } from './target.ts';

export type ThinkingPlan = {
  readonly thinking?: Readonly<Record<string, unknown>>;
  /** For `output_config.effort`. */
  readonly effort?: string;
  readonly maxTokens: number;
  /** The request asked for thinking and does not get it. */
  readonly lost: boolean;
};

/** Anthropic's smallest budget. */
const BUDGET_MIN = 1024;
const OUTPUT_DEFAULT = 4096;

/** Budgets for models that know no effort. */
const budgets: Readonly<Record<Exclude<Effort, 'none'>, number>> = {
  minimal: BUDGET_MIN,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
};

/** Effort levels for models that know no budget: the first whose budget is enough. */
const effortsByBudget: readonly (readonly [budget: number, effort: Effort])[] = [
  [budgets.low, 'low'],
  [budgets.medium, 'medium'],
];

export function planThinking(request: ChatRequest, target: AnthropicTarget): ThinkingPlan {
  const abilities = abilitiesOf(target.model.upstreamName);
  const asked = request.thinking;
  const maxTokens = request.maxOutputTokens ?? target.model.maxOutputTokens ?? OUTPUT_DEFAULT;
  if (!asked) return { maxTokens, lost: false };
  if (asked.kind === 'disabled' || (asked.kind === 'effort' && asked.effort === 'none')) {
    return { ...(canThink(abilities) && { thinking: { type: 'disabled' } }), maxTokens, lost: false };
  }
  const wantsBudget = asked.kind === 'budget' || !abilities.adaptiveThinking;
  if (wantsBudget && abilities.thinkingBudget) return withBudget(budgetOf(asked), request, target, maxTokens);
  if (!abilities.adaptiveThinking) return { maxTokens, lost: true };
  const effort = effortOf(asked, abilities);
  return { thinking: { type: 'adaptive' }, ...(effort && { effort }), maxTokens, lost: false };
}

const canThink = (abilities: ModelAbilities): boolean => abilities.adaptiveThinking || abilities.thinkingBudget;

/**
 * The budget is a part of max_tokens and must be smaller. A limit that the request set stays, and the budget gives way; else the
 * limit is raised so that an answer fits behind the thinking.
 */
function withBudget(wanted: number, request: ChatRequest, target: AnthropicTarget, maxTokens: number): ThinkingPlan {
  const raised = Math.min(Math.max(maxTokens, wanted + OUTPUT_DEFAULT), target.model.maxOutputTokens ?? Number.POSITIVE_INFINITY);
  const limit = request.maxOutputTokens ?? raised;
  const budget = Math.min(Math.max(wanted, BUDGET_MIN), limit - 1);
  if (budget < BUDGET_MIN || forbidsBudget(request)) return { maxTokens: limit, lost: true };
  return { thinking: { type: 'enabled', budget_tokens: budget }, maxTokens: limit, lost: false };
}

/** Unlike adaptive thinking, a budget is refused beside a forced tool choice and inside a tool loop that began without thinking. */
function forbidsBudget({ toolChoice, messages }: ChatRequest): boolean {
  const forced = toolChoice?.kind === 'required' || toolChoice?.kind === 'tool';
  return forced || callsWithoutThinking(messages);
}

/** The turn that is being continued holds tool calls but no thinking that Anthropic signed: another provider, or dialect, made it. */
function callsWithoutThinking(messages: readonly Message[]): boolean {
  const last = messages.findLast(m => m.role !== 'tool' && m.role !== 'system');
  if (last?.role !== 'assistant' || !last.content.some(p => p.kind === 'tool-call')) return false;
  return !last.content.some(
    p => p.kind === 'redacted-thinking' || (p.kind === 'thinking' && signatureOf('anthropic', p.signature) !== undefined),
  );
}

type Asked = Exclude<ThinkingRequest, { readonly kind: 'disabled' }>;

function budgetOf(asked: Asked): number {
  if (asked.kind === 'budget') return asked.tokens;
  return budgets[asked.effort === undefined || asked.effort === 'none' ? 'medium' : asked.effort];
}

function effortOf(asked: Asked, abilities: ModelAbilities): string | undefined {
  if (asked.kind === 'budget') return effortsByBudget.find(([budget]) => asked.tokens <= budget)?.[1] ?? 'high';
  switch (asked.effort) {
    case 'none':
    case undefined:
      return undefined;
    case 'minimal':
      return 'low';
    case 'xhigh':
      return abilities.xhighEffort ? 'xhigh' : 'max';
    default:
      return asked.effort;
  }
}
