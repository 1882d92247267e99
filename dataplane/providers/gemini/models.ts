// What a model of Google's takes, told from its name: its API has no endpoint that says so, and refuses the rest with a 400. Sources:
// ai.google.dev "Thinking", "Thought signatures", "Function calling", "Structured output", and the catalogue of @ai-sdk/google 4.0.121.
import type { Effort } from '#core/chat/request.ts';

export type ModelAbilities = {
  readonly thinking: Thinking;
  /** Refuses a call in the history of the current turn that has no signature of its own. */
  readonly demandsSignatures: boolean;
  /** JSON output together with functions, and images in the results of functions. */
  readonly mixed: boolean;
  /** At Google's own API; Vertex takes them for all. */
  readonly penalties: boolean;
  /** Of its answers' tokens, at Vertex; Google's own API tells them of none. */
  readonly logprobs: boolean;
  /** Gemma has no system prompt: it stands at the begin of the first turn. */
  readonly systemInstruction: boolean;
};

export type Thinking =
  | { readonly by: 'nothing' }
  /** Tokens. Below `min` it cannot think less; where `min` is 0 it can be told not to. */
  | { readonly by: 'budget'; readonly min: number; readonly max: number }
  /** From little to much. It cannot be told not to think at all. */
  | { readonly by: 'level'; readonly levels: readonly Level[] };

export type Level = Extract<Effort, 'minimal' | 'low' | 'medium' | 'high'>;

/** A name of no known family is taken for a new model: aliases (`gemini-flash-latest`) and previews have such names. */
export function abilitiesOf(upstreamName: string): ModelAbilities {
  const name = upstreamName.toLowerCase().split('/').at(-1)!;
  const isGemma = name.startsWith('gemma');
  const version = isGemma ? 0 : versionOf(name);
  const isNew = version >= 3;
  return {
    thinking: thinkingOf(name, version),
    demandsSignatures: isNew,
    mixed: isNew,
    penalties: version !== 2.5,
    // "Logprobs is not supported for this model" (GoogleCloudPlatform/generative-ai#2947, of Gemini 3.5).
    logprobs: version >= 2 && version < 3,
    systemInstruction: !isGemma,
  };
}

const versionOf = (name: string): number => {
  const match = /^gemini-(\d+(?:\.\d+)?)(?!\d)/.exec(name);
  return match ? Number(match[1]) : name === 'gemini-pro' || name === 'gemini-pro-vision' ? 1 : Number.POSITIVE_INFINITY;
};

function thinkingOf(name: string, version: number): Thinking {
  if (version < 2.5 || /embedding|-tts|-image|^imagen|^learnlm/.test(name)) return { by: 'nothing' };
  if (version >= 3) return { by: 'level', levels: isMinimal(name, version) ? ['minimal', ...levels] : levels };
  if (name.includes('-pro')) return { by: 'budget', min: 128, max: 32_768 };
  return { by: 'budget', min: 0, max: 24_576 };
}

const levels: readonly Level[] = ['low', 'medium', 'high'];

/** Flash models up to 3.6, and the lite ones. */
const isMinimal = (name: string, version: number): boolean =>
  name.includes('-lite') || (name.includes('-flash') && version < 3.7);
