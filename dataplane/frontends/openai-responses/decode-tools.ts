// Tools of a Responses body: functions are neutral; what OpenAI runs itself, and tools of free text, are known to this dialect alone.
import type { Tool, ToolChoice } from '#core/chat/request.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import {
  aBoolean,
  aList,
  aName,
  anObject,
  aString,
  type Faults,
  invalid,
  oneOf,
  optional,
  present,
  required,
} from '../reading.ts';

type Extra = Record<string, unknown>;
type ToolsRead = { readonly tools: readonly Tool[]; readonly toolChoice?: ToolChoice | undefined };

export function readTools(faults: Faults, body: JsonRecord, extra: Extra): ToolsRead {
  const list = optional(faults, body.tools, 'tools', aList) ?? [];
  const tools = list.flatMap((value, i) => readTool(faults, value, `tools[${i}]`, extra));
  const allowed = readAllowed(faults, body.tool_choice);
  if (allowed) return { tools: tools.filter(({ name }) => allowed.names.has(name)), toolChoice: { kind: allowed.mode } };
  return { tools, toolChoice: readChoice(faults, body.tool_choice, extra) };
}

function readTool(faults: Faults, value: unknown, path: string, extra: Extra): Tool[] {
  const tool = required(faults, value, path, anObject, {});
  if (tool.type !== 'function') {
    required(faults, tool.type, `${path}.type`, aName, '');
    extra[path] = tool;
    return [];
  }
  return [
    present({
      name: required(faults, tool.name, `${path}.name`, aName, ''),
      description: optional(faults, tool.description, `${path}.description`, aString),
      parameters: optional(faults, tool.parameters, `${path}.parameters`, anObject),
      strict: optional(faults, tool.strict, `${path}.strict`, aBoolean),
    }),
  ];
}

function readChoice(faults: Faults, value: unknown, extra: Extra): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === 'auto' || value === 'none' || value === 'required') return { kind: value };
  if (!isRecord(value)) return invalid(faults, 'tool_choice', 'auto, none, required or an object');
  if (value.type === 'function') return { kind: 'tool', name: required(faults, value.name, 'tool_choice.name', aName, '') };
  extra.tool_choice = value;
  return undefined;
}

type Allowed = { readonly mode: 'auto' | 'required'; readonly names: ReadonlySet<unknown> };

/** `allowed_tools` means: as if only these had been sent. The others are in the request only to keep the prompt cache warm. */
function readAllowed(faults: Faults, choice: unknown): Allowed | undefined {
  if (!isRecord(choice) || choice.type !== 'allowed_tools') return undefined;
  const mode = required(faults, choice.mode, 'tool_choice.mode', oneOf<'auto' | 'required'>('auto', 'required'), 'auto');
  const tools = required(faults, choice.tools, 'tool_choice.tools', aList, []);
  return { mode, names: new Set(tools.map(tool => (isRecord(tool) ? tool.name : undefined))) };
}
