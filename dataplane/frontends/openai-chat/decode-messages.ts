// The messages of a chat completions body as neutral messages: one reader per role.
import { readAnnotations } from '#core/chat/citations/openai.ts';
import type { AssistantPart, Message, TextPart, ToolCallPart } from '#core/chat/request.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { aList, aName, anObject, aString, type Faults, invalid, optional, present, required, unsupported } from '../reading.ts';
import { readTextParts, readUserParts } from './decode-parts.ts';

/** Calls that came without an id: 2023's `function` messages say by the function's name what they answer. */
type LegacyCalls = { count: number; readonly idByName: Map<string, string> };
type RoleReader = (faults: Faults, message: JsonRecord, path: string, calls: LegacyCalls) => Message;

export function readMessages(faults: Faults, value: unknown): readonly Message[] {
  const calls: LegacyCalls = { count: 0, idByName: new Map() };
  const list = required(faults, value, 'messages', aList, []);
  if (list.length === 0) invalid(faults, 'messages', 'a list of at least one message');
  return list.map((message, i) => readMessage(faults, message, `messages[${i}]`, calls)).filter(message => message !== undefined);
}

function readMessage(faults: Faults, value: unknown, path: string, calls: LegacyCalls): Message | undefined {
  const message = required(faults, value, path, anObject, {});
  const reader = roles.get(message.role);
  if (!reader) return invalid(faults, `${path}.role`, `one of ${[...roles.keys()].join(', ')}`);
  return reader(faults, message, path, calls);
}

const readSystem: RoleReader = (faults, message, path) => ({
  role: 'system',
  content: readTextParts(faults, message.content, `${path}.content`),
});

const readUser: RoleReader = (faults, message, path) =>
  present({
    role: 'user' as const,
    content: readUserParts(faults, message.content, `${path}.content`),
    name: optional(faults, message.name, `${path}.name`, aString),
  });

const readTool: RoleReader = (faults, message, path) => ({
  role: 'tool',
  callId: required(faults, message.tool_call_id, `${path}.tool_call_id`, aName, ''),
  content: readUserParts(faults, message.content, `${path}.content`),
});

const readFunction: RoleReader = (faults, message, path, calls) => {
  const name = required(faults, message.name, `${path}.name`, aName, '');
  const content = message.content === null ? [] : readTextParts(faults, message.content, `${path}.content`);
  return { role: 'tool', callId: calls.idByName.get(name) ?? legacyId(name, 0), content };
};

const readAssistant: RoleReader = (faults, message, path, calls) => {
  if (message.audio !== undefined && message.audio !== null) unsupported(faults, `${path}.audio`, 'an earlier audio answer');
  return present({
    role: 'assistant' as const,
    content: [
      ...readReasoning(message),
      ...withCitations(readAnswer(faults, message.content, `${path}.content`), message.annotations),
      ...readRefusal(faults, message.refusal, `${path}.refusal`),
      ...readCalls(faults, message.tool_calls, `${path}.tool_calls`),
      ...readLegacyCall(faults, message.function_call, `${path}.function_call`, calls),
    ],
    name: optional(faults, message.name, `${path}.name`, aString),
  });
};

const roles: ReadonlyMap<unknown, RoleReader> = new Map([
  ['system', readSystem],
  ['developer', readSystem],
  ['user', readUser],
  ['assistant', readAssistant],
  ['tool', readTool],
  ['function', readFunction],
]);

/** DeepSeek, vLLM before 0.12 and xAI name it `reasoning_content`; vLLM, Groq and OpenRouter `reasoning`. Nobody signs it. */
function readReasoning(message: JsonRecord): readonly AssistantPart[] {
  const text = message.reasoning_content || message.reasoning;
  return typeof text === 'string' && text !== '' ? [{ kind: 'thinking', text }] : [];
}

function readAnswer(faults: Faults, content: unknown, path: string): readonly AssistantPart[] {
  if (content === undefined || content === null || content === '') return [];
  if (!Array.isArray(content)) return readTextParts(faults, content, path);
  return content.flatMap((part, i) => {
    const isRefusal = isRecord(part) && part.type === 'refusal';
    return isRefusal ? readRefusal(faults, part.refusal, `${path}[${i}].refusal`) : readText(faults, part, `${path}[${i}]`);
  });
}

/** What an answer rested on is told of its content, which comes back as one text; if it does not, nobody knows of which. */
function withCitations(parts: readonly AssistantPart[], annotations: unknown): readonly AssistantPart[] {
  const [part] = parts;
  if (parts.length !== 1 || part?.kind !== 'text') return parts;
  const citations = readAnnotations(annotations, part.text);
  return citations.length > 0 ? [{ ...part, citations }] : parts;
}

const readText = (faults: Faults, part: unknown, path: string): readonly TextPart[] => readTextParts(faults, [part], path, path);

function readRefusal(faults: Faults, value: unknown, path: string): readonly AssistantPart[] {
  const text = optional(faults, value, path, aString);
  return text ? [{ kind: 'refusal', text }] : [];
}

function readCalls(faults: Faults, value: unknown, path: string): readonly ToolCallPart[] {
  return (optional(faults, value, path, aList) ?? []).map((call, i) => readCall(faults, call, `${path}[${i}]`));
}

function readCall(faults: Faults, value: unknown, path: string): ToolCallPart {
  const call = required(faults, value, path, anObject, {});
  if (call.type === 'custom') unsupported(faults, `${path}.type`, 'a call of a custom tool');
  const { name, json } = readInvocation(faults, call.function, `${path}.function`);
  return { kind: 'tool-call', id: required(faults, call.id, `${path}.id`, aName, ''), name, arguments: json };
}

function readInvocation(faults: Faults, value: unknown, path: string): { name: string; json: string } {
  const invocation = required(faults, value, path, anObject, {});
  const name = required(faults, invocation.name, `${path}.name`, aName, '');
  return { name, json: required(faults, invocation.arguments ?? '', `${path}.arguments`, aString, '') };
}

function readLegacyCall(faults: Faults, value: unknown, path: string, calls: LegacyCalls): readonly ToolCallPart[] {
  if (value === undefined || value === null) return [];
  const { name, json } = readInvocation(faults, value, path);
  const id = legacyId(name, calls.count++);
  calls.idByName.set(name, id);
  return [{ kind: 'tool-call', id, name, arguments: json }];
}

/** The ids of one request must differ and be the same again next turn, when the history comes back. */
const legacyId = (name: string, earlier: number): string => `call_${earlier}_${name}`;
