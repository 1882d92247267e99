// What a model takes through Converse, told from its name: Bedrock says so in its documentation alone, and refuses the rest with a 400.
// Sources: docs.aws.amazon.com/bedrock "Supported models and model features", "Structured outputs", "Prompt caching", and the
// profiles of pydantic-ai and the AI SDK, which are checked against live answers (November 2026).
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { tellingName } from './target.ts';

export type Family = 'claude' | 'nova' | 'openai' | 'mistral' | 'other';

export type ModelTraits = {
  readonly family: Family;
  /** `any`: some tool must be called. `tool`: a certain one. */
  readonly forces: ReadonlySet<'any' | 'tool'>;
  /** Marks after which the prompt is cached: behind texts and images alone, or anywhere and with how long it is kept. */
  readonly caching: 'none' | 'texts' | 'with-ttl';
  /** `outputConfig.textFormat` and strict tools. */
  readonly structuredOutput: boolean;
  /** `toolResult.status`. */
  readonly toolStatus: boolean;
  readonly stopSequences: boolean;
  /** Where the most likely tokens are counted (`top_k`), as a path below additionalModelRequestFields. */
  readonly topK: readonly string[] | undefined;
  readonly temperatureMax: number;
};

export const isClaude = (model: ModelEntry): boolean => /\bclaude\b/.test(tellingName(model));

const forcesBoth = new Set(['any', 'tool'] as const);
const forcesAny = new Set(['any'] as const);
const forcesNone: ModelTraits['forces'] = new Set();

/** Claude has abilities of its own: see the provider of Anthropic. */
export function traitsOf(model: ModelEntry): ModelTraits {
  const name = tellingName(model);
  const structuredOutput = STRUCTURED.test(name);
  switch (familyOf(name)) {
    case 'claude':
      return {
        family: 'claude',
        forces: forcesBoth,
        caching: 'with-ttl',
        structuredOutput: hasStructuredOutput(name),
        toolStatus: true,
        stopSequences: true,
        topK: ['top_k'],
        temperatureMax: 1,
      };
    case 'nova':
      return {
        family: 'nova',
        forces: forcesBoth,
        caching: 'texts',
        structuredOutput: false,
        toolStatus: true,
        stopSequences: true,
        topK: ['inferenceConfig', 'topK'],
        temperatureMax: 1,
      };
    case 'openai':
      return { ...unknown, family: 'openai', structuredOutput, stopSequences: false, temperatureMax: 2 };
    case 'mistral':
      return { ...unknown, family: 'mistral', structuredOutput, forces: forcesAny, topK: ['top_k'] };
    case 'other':
      return { ...unknown, structuredOutput };
  }
}

const unknown: ModelTraits = {
  family: 'other',
  forces: forcesNone,
  caching: 'none',
  structuredOutput: false,
  toolStatus: false,
  stopSequences: true,
  topK: undefined,
  temperatureMax: 1,
};

function familyOf(name: string): Family {
  if (/\bclaude\b/.test(name)) return 'claude';
  if (/^amazon\.nova|\bnova-/.test(name)) return 'nova';
  if (/^openai\./.test(name)) return 'openai';
  return /^mistral\./.test(name) ? 'mistral' : 'other';
}

/** Models of others than Anthropic that answer by a schema. */
const STRUCTURED =
  /^(?:deepseek\.v3|google\.gemma|minimax\.|mistral\.(?:magistral|ministral|mistral-large-3|voxtral)|moonshot|nvidia\.|openai\.gpt-oss|qwen\.)/;

/** Bedrock has a copy of Anthropic's schema of its own, and it does not know these fields for the newest models yet. */
export const hasStructuredOutput = (claude: string): boolean => /claude-(?:opus|sonnet|haiku)-4-[1-6](?!\d)/.test(claude);
