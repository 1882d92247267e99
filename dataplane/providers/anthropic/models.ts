// What a Claude model takes, told from its name: Anthropic has no endpoint that says so for all of it, and refuses the rest
// with a 400. Sources: platform.claude.com "Adaptive thinking", "Effort", "Structured outputs" and the model profiles of
// pydantic-ai, which are checked against live answers (November 2026).

export type ModelAbilities = {
  /** `thinking: {type: adaptive}` with `output_config.effort`. */
  readonly adaptiveThinking: boolean;
  /** `thinking: {type: enabled, budget_tokens}`. */
  readonly thinkingBudget: boolean;
  /** The effort level above `high` and below `max`. */
  readonly xhighEffort: boolean;
  readonly sampling: boolean;
  /** temperature and top_p in one request. */
  readonly temperatureWithTopP: boolean;
  /** A last message of the assistant, which the answer goes on with ("Prefill removal" in "What's new in Claude 4.6"). */
  readonly prefill: boolean;
  /** `output_config.format` and strict tools. */
  readonly structuredOutput: boolean;
};

/** `upstreamName` of any spelling: `claude-3-5-sonnet-20241022`, `claude-sonnet-4-20250514`, `claude-opus-4-5`. */
export function abilitiesOf(upstreamName: string): ModelAbilities {
  const version = versionOf(upstreamName);
  return {
    adaptiveThinking: version >= 4.06,
    thinkingBudget: version >= 3.07 && version < 4.07,
    xhighEffort: version >= 4.07,
    sampling: version < 4.07,
    temperatureWithTopP: version < 4.01,
    prefill: version < 4.06,
    structuredOutput: version >= 4.01,
  };
}

/** 4.5 is 4.05, so that a later 4.10 sorts behind 4.9. A name without a version is taken for a new one: previews have such names. */
function versionOf(name: string): number {
  const match = /claude-(?:[a-z]+-)?(\d)(?:[-.](\d{1,2})(?!\d))?/.exec(name);
  return match ? Number(match[1]) + Number(match[2] ?? 0) / 100 : Number.POSITIVE_INFINITY;
}
