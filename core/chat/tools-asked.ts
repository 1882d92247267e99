// What a request asks a provider to run by itself, of tools that are billed by the call.
import type { BilledTool } from './usage.ts';

export type ToolAsked = {
  readonly tool: BilledTool;
  /** Where it stands in the body. */
  readonly param: string;
  /** Calls at most. Absent: the request does not say. */
  readonly most?: number;
  /** No answer says how often it was called: an answer counts as if it had been as often as it may be. */
  readonly isUntold?: true;
};

/** What such tools bring is read by the model besides the body; also where none of them is billed by the call. */
export type ToolsAsked = {
  readonly tools: readonly ToolAsked[];
  /** Calls of all tools together, at most. */
  readonly mostTogether?: number;
};
