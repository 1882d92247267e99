// Tools that Bedrock runs for a model (Nova's): what a request asks of them, and what an answer shows.
import type { ToolAsked, ToolsAsked } from '#core/chat/tools-asked.ts';
import { type BilledTool, type ToolCalls, toolCallsIn } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { entriesOf, toolNamed } from '../listed-tools.ts';
import type { RequestFields } from '../provider.ts';
import { recordOf, textOf } from '../wire.ts';

export function toolsAsked(body: RequestFields): ToolsAsked | undefined {
  if (!body.has('toolConfig') || body.json?.('toolConfig').includes('systemTool') === false) return undefined;
  const tools = entriesOf(recordOf(body.get('toolConfig')).tools, 'toolConfig.tools').flatMap(({ tool, param }): ToolAsked[] =>
    isRecord(tool.systemTool) ? [{ tool: toolNamed(textOf(tool.systemTool.name)), param }] : [],
  );
  return tools.length > 0 ? { tools } : undefined;
}

/** A call, by the block that makes it. */
export const calledIn = ({ toolUse }: JsonRecord): BilledTool | undefined =>
  isRecord(toolUse) && toolUse.type === 'server_tool_use' ? toolNamed(textOf(toolUse.name)) : undefined;

export const callsOf = (blocks: readonly JsonRecord[]): { readonly toolCalls?: ToolCalls } =>
  toolCallsIn(blocks.map(calledIn).flatMap(tool => (tool ? [[tool, 1] as const] : [])));
