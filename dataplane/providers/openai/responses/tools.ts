// Tools that a server of the Responses wire runs and bills by the call: what a request asks of them, and what a response shows.
// OpenAI's page "Pricing" and the types of openai 7.57 (`Response.ToolUsage`); xAI's page "Tools".
import type { ToolAsked, ToolsAsked } from '#core/chat/tools-asked.ts';
import { type BilledTool, billedTools, type ToolCalls, toolCallsIn } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { entriesOf, type Listed, listedTools, mayMention, toolNamed } from '../../listed-tools.ts';
import type { RequestFields } from '../../provider.ts';
import { countOf, entryOf, recordOf, recordsOf, textOf } from '../../wire.ts';

/** Run by the client, or billed in tokens alone. */
const UNBILLED: ReadonlySet<string> = new Set([
  'function',
  'custom',
  'namespace',
  'mcp',
  'computer',
  'computer_use',
  'computer_use_preview',
  'local_shell',
  'apply_patch',
  'tool_search',
  'programmatic_tool_calling',
]);

export function toolsAsked(body: RequestFields): ToolsAsked | undefined {
  const all = [...listedTools(body), ...toolsOfItems(body)];
  const tools = all.flatMap(askedOf).concat(promptTools(body));
  // Billed in tokens alone: those of what it brings.
  const reads = all.some(({ tool }) => tool.type === 'mcp');
  if (tools.length === 0 && !reads) return undefined;
  const limit = body.get('max_tool_calls');
  const isBounded = Number.isSafeInteger(limit) && (limit as number) >= 0;
  return { tools, ...(isBounded && { mostTogether: limit as number }) };
}

/** Items that bring tools along with the conversation. */
function toolsOfItems(body: RequestFields): readonly Listed[] {
  if (!mayMention(body, '"additional_tools"', '"tool_search_output"')) return [];
  return entriesOf(body.get('input'), 'input').flatMap(({ tool: { type, tools }, param }) =>
    type === 'additional_tools' || type === 'tool_search_output' ? entriesOf(tools, `${param}.tools`) : [],
  );
}

function askedOf({ tool, param }: Listed): readonly ToolAsked[] {
  const type = textOf(tool.type);
  if (UNBILLED.has(type)) return [];
  if (type === 'shell' && !recordOf(tool.environment).type?.toString().startsWith('container')) return [];
  const billed = toolNamed(type);
  // Code runs in one container a response, however often.
  return [{ tool: billed, param, ...(billed === 'codeExecution' && { most: 1 }) }];
}

/** A prompt that is stored may have tools of its own, of any kind. */
const promptTools = (body: RequestFields): readonly ToolAsked[] =>
  body.has('prompt') && isRecord(body.get('prompt')) ? billedTools.map(tool => ({ tool, param: 'prompt' })) : [];

/** However often its tools were called, no more calls are answered. */
export const toolLimit = (_body: RequestFields, most: number): ReadonlyMap<string, string> =>
  new Map([['max_tool_calls', String(most)]]);

const ITEMS: Readonly<Record<string, BilledTool>> = {
  web_search_call: 'webSearch',
  x_search_call: 'webSearch',
  file_search_call: 'fileSearch',
  code_interpreter_call: 'codeExecution',
  shell_call: 'codeExecution',
  image_generation_call: 'imageGeneration',
};

/** What the items of one response show of such tools. */
export class ShownTools {
  readonly #containers = new Set<string>();
  readonly #calls: [BilledTool, number][] = [];

  /** @returns the tool, where this item is a call that is billed by itself */
  note(item: JsonRecord): BilledTool | undefined {
    const tool = entryOf(ITEMS, item.type);
    if (!tool || !this.#isBilled(tool, item)) return undefined;
    this.#calls.push([tool, 1]);
    return tool;
  }

  /** Opening a page that was found is free, and so is a container once it is there. A shell without one is the client's. */
  #isBilled(tool: BilledTool, item: JsonRecord): boolean {
    if (tool === 'webSearch') return (recordOf(item.action).type ?? 'search') === 'search';
    if (tool !== 'codeExecution') return true;
    const container = textOf(item.container_id) || textOf(recordOf(item.environment).container_id);
    if (item.type === 'shell_call' && container === '') return false;
    const isNew = !this.#containers.has(container);
    this.#containers.add(container);
    return isNew;
  }

  calls = (): readonly (readonly [BilledTool, number])[] => this.#calls;
}

/** Of a whole response. Its own account of what is billed comes before its items, of which some cost nothing. */
export function callsOf(response: JsonRecord): { readonly toolCalls?: ToolCalls } {
  const shown = new ShownTools();
  for (const item of recordsOf(response.output)) shown.note(item);
  const searches = recordOf(recordOf(response.tool_usage).web_search).num_requests;
  const calls = xaiCalls(response) ?? shown.calls();
  if (searches === undefined) return toolCallsIn(calls);
  return toolCallsIn([...calls.filter(([tool]) => tool !== 'webSearch'), ['webSearch', countOf(searches)]]);
}

/** xAI tells successful calls, which are those that it bills. */
function xaiCalls({ usage }: JsonRecord): readonly (readonly [BilledTool, number])[] | undefined {
  const { server_side_tool_usage_details: told } = recordOf(usage);
  if (!isRecord(told)) return undefined;
  return Object.entries(told)
    .filter(([name]) => !name.startsWith('mcp'))
    .map(([name, count]) => [toolNamed(name), countOf(count)]);
}
