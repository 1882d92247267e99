// Tools and the choice among them, in the current form and in the one of 2023 (`functions`, `function_call`).
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
  unsupportedKind,
} from '../reading.ts';

export type ToolsRead = { readonly tools: readonly Tool[]; readonly toolChoice?: ToolChoice | undefined };

export function readTools(faults: Faults, body: JsonRecord): ToolsRead {
  const legacy = optional(faults, body.functions, 'functions', aList);
  const tools = optional(faults, body.tools, 'tools', aList)?.map((tool, i) => readTool(faults, tool, `tools[${i}]`));
  const all = tools ?? legacy?.map((spec, i) => readFunction(faults, spec, `functions[${i}]`)) ?? [];
  const allowed = readAllowedTools(faults, body.tool_choice);
  if (allowed) return { tools: all.filter(tool => allowed.names.has(tool.name)), toolChoice: { kind: allowed.mode } };
  return { tools: all, toolChoice: readChoice(faults, body.tool_choice) ?? readLegacyChoice(faults, body.function_call) };
}

function readTool(faults: Faults, value: unknown, path: string): Tool {
  const tool = required(faults, value, path, anObject, {});
  if (tool.type !== 'function') unsupportedKind(faults, `${path}.type`, 'a tool of type', tool.type);
  return readFunction(faults, tool.function, `${path}.function`);
}

function readFunction(faults: Faults, value: unknown, path: string): Tool {
  const spec = required(faults, value, path, anObject, {});
  return present({
    name: required(faults, spec.name, `${path}.name`, aName, ''),
    description: optional(faults, spec.description, `${path}.description`, aString),
    parameters: optional(faults, spec.parameters, `${path}.parameters`, anObject),
    strict: optional(faults, spec.strict, `${path}.strict`, aBoolean),
  });
}

function readChoice(faults: Faults, value: unknown): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === 'auto' || value === 'none' || value === 'required') return { kind: value };
  if (!isRecord(value)) return invalid(faults, 'tool_choice', 'auto, none, required or an object');
  if (value.type !== 'function') return unsupportedKind(faults, 'tool_choice.type', 'a choice of type', value.type);
  const named = required(faults, value.function, 'tool_choice.function', anObject, {});
  return { kind: 'tool', name: required(faults, named.name, 'tool_choice.function.name', aName, '') };
}

type Allowed = { readonly mode: 'auto' | 'required'; readonly names: ReadonlySet<string> };

/** `allowed_tools` means: as if only these had been sent. The others are in the request only to keep the prompt cache warm. */
function readAllowedTools(faults: Faults, choice: unknown): Allowed | undefined {
  if (!isRecord(choice) || choice.type !== 'allowed_tools') return undefined;
  const path = 'tool_choice.allowed_tools';
  const spec = required(faults, choice.allowed_tools, path, anObject, {});
  const mode = required(faults, spec.mode, `${path}.mode`, oneOf<'auto' | 'required'>('auto', 'required'), 'auto');
  const names = required(faults, spec.tools, `${path}.tools`, aList, []).map((tool, i) => {
    const named = required(faults, isRecord(tool) ? tool.function : undefined, `${path}.tools[${i}].function`, anObject, {});
    return required(faults, named.name, `${path}.tools[${i}].function.name`, aName, '');
  });
  return { mode, names: new Set(names) };
}

function readLegacyChoice(faults: Faults, value: unknown): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === 'auto' || value === 'none') return { kind: value };
  const named = required(faults, value, 'function_call', anObject, {});
  return { kind: 'tool', name: required(faults, named.name, 'function_call.name', aName, '') };
}
