// Tools that Anthropic runs and bills by the call: what a request asks of them, and what an answer shows.
import type { ToolAsked, ToolsAsked } from '#core/chat/tools-asked.ts';
import type { BilledTool } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { entriesOf, type Listed, listedTools, mayMention } from '../listed-tools.ts';
import type { RequestFields } from '../provider.ts';
import { entryOf, recordOf, textOf } from '../wire.ts';

/** Run by the client, or billed in tokens alone. */
const UNBILLED = /^(?:custom$|bash_|text_editor_|computer_|memory_|browser_|web_fetch_|tool_search_|mcp_)/;

/** Billed in tokens alone: those of what they bring. */
const READING = /^(?:web_fetch_|mcp_)/;

/** With these, the code that filters what was found costs nothing (platform.claude.com, "Code execution tool", pricing). */
const FILTERS_BY_CODE = /^web_(?:search|fetch)_(?!2025)/;

export function toolsAsked(body: RequestFields): ToolsAsked | undefined {
  const listed = [...listedTools(body), ...toolsOfTurns(body)];
  const isCodeFree = listed.some(({ tool }) => FILTERS_BY_CODE.test(textOf(tool.type)));
  const tools = listed.flatMap(one => askedOf(one, isCodeFree));
  const reads = body.has('mcp_servers') || listed.some(({ tool }) => READING.test(textOf(tool.type)));
  return tools.length > 0 || reads ? { tools } : undefined;
}

/** Tools that are defined in the middle of a conversation (beta inline-tools-2026-09-15). */
function toolsOfTurns(body: RequestFields): readonly Listed[] {
  if (!mayMention(body, '"tool_definition"')) return [];
  return entriesOf(body.get('messages'), 'messages').flatMap(({ tool: { content }, param }) =>
    entriesOf(content, `${param}.content`).flatMap(({ tool: block, param: at }) => {
      const { definition } = recordOf(block.tool);
      return isRecord(definition) ? [{ tool: definition, param: `${at}.tool.definition` }] : [];
    }),
  );
}

function askedOf({ tool, param }: Listed, isCodeFree: boolean): readonly ToolAsked[] {
  const type = textOf(tool.type);
  if (type === '' || UNBILLED.test(type)) return [];
  // A request has one container.
  if (type.startsWith('code_execution_')) return isCodeFree ? [] : [{ tool: 'codeExecution', param, most: 1 }];
  const most = limitOf(tool);
  return [{ tool: type.startsWith('web_search_') ? 'webSearch' : 'other', param, ...(most !== undefined && { most }) }];
}

const limitOf = ({ max_uses: limit }: JsonRecord): number | undefined =>
  Number.isSafeInteger(limit) && (limit as number) >= 0 ? (limit as number) : undefined;

/** Tools whose uses can be bounded get that many each, where they have no bound of their own. */
export function toolLimit(body: RequestFields, most: number): ReadonlyMap<string, string> {
  const list = body.get('tools');
  if (!Array.isArray(list)) return new Map();
  const lacks = (tool: unknown): tool is JsonRecord =>
    isRecord(tool) && /^(?:web_search|advisor)_/.test(textOf(tool.type)) && limitOf(tool) === undefined;
  if (!list.some(lacks)) return new Map();
  return new Map([['tools', JSON.stringify(list.map(tool => (lacks(tool) ? { ...tool, max_uses: most } : tool)))]]);
}

const BLOCKS: Readonly<Record<string, BilledTool>> = {
  web_search: 'webSearch',
  advisor: 'other',
  code_execution: 'codeExecution',
  bash_code_execution: 'codeExecution',
  text_editor_code_execution: 'codeExecution',
};

/** What the blocks of one answer show of such tools. */
export class ShownTools {
  #searches = 0;
  #consultations = 0;
  #runsCode = false;
  #isCodeFree = false;

  /** @returns the tool, where this block is a call that is billed by itself */
  note(block: JsonRecord): BilledTool | undefined {
    const tool = block.type === 'server_tool_use' ? entryOf(BLOCKS, block.name) : undefined;
    // Called by code: that filters what was found.
    if (tool === 'webSearch' && textOf(recordOf(block.caller).type).startsWith('code_execution')) this.#isCodeFree = true;
    if (tool === 'webSearch') this.#searches++;
    if (tool === 'other') this.#consultations++;
    if (tool !== 'codeExecution') return tool;
    const isFirst = !this.#runsCode;
    this.#runsCode = true;
    return isFirst ? tool : undefined;
  }

  /** @param told searches as `usage` has them: those that failed are not in it */
  calls(told: number | undefined): readonly (readonly [BilledTool, number])[] {
    return [
      ['webSearch', told ?? this.#searches],
      ['other', this.#consultations],
      ['codeExecution', this.#runsCode && !this.#isCodeFree ? 1 : 0],
    ];
  }
}
