// Neutral messages as OpenAI's. What another provider signed, sealed or marked for its cache (thinking, redacted thinking, cache
// marks) is left out without a word: that is cleaning of history, not a parameter that the client loses.
import type { AssistantPart, ChatRequest, Message, TextPart, UserPart } from '#core/chat/request.ts';
import type { LeavingOut } from '../leaving-out.ts';
import { encodePart, type PartContext, type WirePart } from './encode-parts.ts';
import type { Profile } from './profile.ts';

type Wire = Record<string, unknown>;
type ToolMessage = Extract<Message, { role: 'tool' }>;

export function encodeMessages(request: ChatRequest, profile: Profile, limits: LeavingOut): Wire[] {
  const context: PartContext = { request, profile, limits };
  const wire: Wire[] = [];
  // Results must follow their calls without a gap, so what they show besides text waits for the end of the run.
  let shown: WirePart[] = [];
  for (const [i, message] of request.messages.entries()) {
    if (message.role !== 'tool' && shown.length > 0) wire.push({ role: 'user', content: shown.splice(0) });
    const path = `messages[${i}]`;
    if (message.role !== 'tool') wire.push(encodeMessage(message, path, context));
    else {
      const result = encodeResult(message, path, context);
      wire.push(result.message);
      shown = [...shown, ...result.shown];
    }
  }
  return shown.length > 0 ? [...wire, { role: 'user', content: shown }] : wire;
}

function encodeMessage(message: Exclude<Message, ToolMessage>, path: string, context: PartContext): Wire {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: joined(message.content, '\n\n') };
    case 'user':
      return { role: 'user', content: userContent(message.content, path, context), ...named(message.name) };
    case 'assistant':
      return { role: 'assistant', ...assistantFields(message.content), ...named(message.name) };
  }
}

const named = (name: string | undefined): Wire => (name === undefined ? {} : { name });
const joined = (parts: readonly TextPart[], separator: string): string => parts.map(part => part.text).join(separator);

/** A plain string wherever it says the same: not every server of this dialect takes a list. */
function userContent(parts: readonly UserPart[], path: string, context: PartContext): string | WirePart[] {
  const wire = parts.flatMap((part, i) => encodePart(part, `${path}.content[${i}]`, context));
  const [only] = wire;
  return wire.length === 1 && only?.type === 'text' ? only.text : wire.length === 0 ? '' : wire;
}

function assistantFields(parts: readonly AssistantPart[]): Wire {
  const calls = parts.flatMap(part => (part.kind === 'tool-call' ? [callOf(part)] : []));
  const text = textOf(parts, 'text');
  const refusal = textOf(parts, 'refusal');
  const content = text === '' && (calls.length > 0 || refusal !== '') ? null : text;
  return { content, ...(refusal !== '' && { refusal }), ...(calls.length > 0 && { tool_calls: calls }) };
}

const textOf = (parts: readonly AssistantPart[], kind: 'text' | 'refusal'): string =>
  parts.map(part => (part.kind === kind ? part.text : '')).join('');

const callOf = ({ id, name, arguments: json }: Extract<AssistantPart, { kind: 'tool-call' }>): Wire => ({
  id,
  type: 'function',
  function: { name, arguments: json || '{}' },
});

/** The wire's results are text. Whatever else is in one is shown in a user message after the run of results. */
function encodeResult(message: ToolMessage, path: string, context: PartContext): { message: Wire; shown: WirePart[] } {
  const parts = message.content.flatMap((part, i) => encodePart(part, `${path}.content[${i}]`, context));
  const text = parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('\n');
  const others = parts.filter(part => part.type !== 'text');
  const content = `${message.isError ? 'Error: ' : ''}${text}`;
  const label: WirePart = { type: 'text', text: `Shown by the result of tool call ${message.callId}:` };
  return {
    message: { role: 'tool', tool_call_id: message.callId, content },
    shown: others.length > 0 ? [label, ...others] : [],
  };
}
