// What the tools that a provider runs itself can cost a request at most, and whether that is known at all.
import type { ToolAsked, ToolsAsked } from '../chat/tools-asked.ts';
import { type BilledTool, type ToolCalls, toolCallsIn } from '../chat/usage.ts';
import type { Price, Rates } from '../snapshot/snapshot.ts';

/** undefined: nobody said. */
const most = ({ mostTogether }: ToolsAsked, tool: ToolAsked, price: Price): number | undefined =>
  tool.most ?? mostTogether ?? price.maxToolCalls;

/** Some tool may be called as often as the model likes, as far as the request goes. */
export const isUnbounded = ({ tools, mostTogether }: ToolsAsked): boolean =>
  mostTogether === undefined && tools.some(tool => tool.most === undefined);

/** Nano-dollars. What is not known counts nothing: `unknownTool` tells of it. */
export function toolBound(asked: ToolsAsked, { perToolCall = {} }: Rates, price: Price): number {
  let sum = 0;
  let dearest = 0;
  for (const tool of asked.tools) {
    const each = perToolCall[tool.tool] ?? 0;
    sum += each * (most(asked, tool, price) ?? 0);
    dearest = Math.max(dearest, each);
  }
  return asked.mostTogether === undefined ? sum : Math.min(sum, dearest * asked.mostTogether);
}

export type UnknownTool = { readonly tool: BilledTool; readonly param: string; readonly unknown: 'price' | 'number' };

/** The first tool whose calls could cost nobody knows what. */
export function unknownTool(asked: ToolsAsked, price: Price): UnknownTool | undefined {
  for (const one of asked.tools) {
    const { tool, param } = one;
    const each = price.rates.perToolCall?.[tool];
    if (each === undefined) return { tool, param, unknown: 'price' };
    if (each > 0 && most(asked, one, price) === undefined) return { tool, param, unknown: 'number' };
  }
  return undefined;
}

/** How often each may be called, as far as anybody said. */
export const callsAtMost = (asked: ToolsAsked, price: Price): readonly (readonly [BilledTool, number])[] =>
  asked.tools.map(tool => [tool.tool, most(asked, tool, price) ?? 0] as const);

/** The calls of an answer that tells nothing of them. */
export const untoldCalls = (asked: ToolsAsked, price: Price | undefined): ToolCalls =>
  toolCallsIn(
    asked.tools
      .filter(({ isUntold }) => isUntold)
      .map(tool => [tool.tool, (price ? most(asked, tool, price) : tool.most) ?? 1] as const),
  ).toolCalls ?? {};
