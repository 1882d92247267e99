// The neutral conversation as Converse's: system texts apart, roles alternating, tool results first in the user's turn.
import type { AssistantPart, Message } from '#core/chat/request.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { appendTurn, type Turn } from '../turns.ts';
import { type Block, type Context, spokenBlocks, systemBlocks, toolResult, toolUse, userBlocks } from './encode-content.ts';

export type Conversation = { readonly system: readonly Block[]; readonly turns: readonly Turn<Block>[] };

export function encodeMessages(messages: readonly Message[], context: Context): Parsed<Conversation> {
  const system: Block[] = [];
  const turns: Turn<Block>[] = [];
  for (const [index, message] of messages.entries()) {
    const path = `messages[${index}]`;
    const blocks = blocksOf(message, path, context);
    if (!blocks.ok) return blocks;
    if (message.role === 'system') system.push(...blocks.value);
    // Two turns of one role in a row are refused.
    else appendTurn(turns, message.role === 'assistant' ? 'assistant' : 'user', blocks.value);
  }
  const placed = turns.map(turn => withoutPoints(resultsFirst(turn), context));
  return ok(beginning({ system, turns: placed }, context));
}

/** The first turn has to be the user's; Claude alone also begins with its own. What the system says comes before everything anyway. */
function beginning({ system, turns }: Conversation, { traits }: Context): Conversation {
  const begins = turns[0]?.role === 'user' || (traits.family === 'claude' && turns.length > 0);
  return begins || system.length === 0 ? { system, turns } : { system: [], turns: [{ role: 'user', content: system }, ...turns] };
}

function blocksOf(message: Message, path: string, context: Context): Parsed<readonly Block[]> {
  if ('name' in message && message.name !== undefined) context.limits.leaveOut(`${path}.name`);
  switch (message.role) {
    case 'system':
      return ok(systemBlocks(message.content, context));
    case 'user':
      return ok(userBlocks(message.content, path, context));
    case 'tool':
      return ok(toolResult(message, path, context));
    case 'assistant':
      return assistantBlocks(message.content, path, context);
  }
}

/** A mark behind a result stays behind it. */
function resultsFirst(turn: Turn<Block>): Turn<Block> {
  const isResult = (block: Block, index: number): boolean =>
    'toolResult' in block || ('cachePoint' in block && index > 0 && 'toolResult' in turn.content[index - 1]!);
  if (!turn.content.some(isResult)) return turn;
  const others = turn.content.filter((block, index) => !isResult(block, index));
  return { ...turn, content: [...turn.content.filter(isResult), ...others] };
}

/** Nova takes no mark in a turn of tools. */
function withoutPoints<T extends { readonly content: readonly Block[] }>(turn: T, { traits }: Context): T {
  const hasTools = turn.content.some(block => 'toolUse' in block || 'toolResult' in block);
  if (traits.caching !== 'texts' || !hasTools) return turn;
  return { ...turn, content: turn.content.filter(block => !('cachePoint' in block)) };
}

function assistantBlocks(parts: readonly AssistantPart[], path: string, context: Context): Parsed<readonly Block[]> {
  const blocks: Block[] = [];
  let calls = 0;
  for (const part of parts) {
    const made = part.kind === 'tool-call' ? toolUse(part, context) : spokenBlocks(part, context);
    if (!made) return notAnObject(`${path}.tool_calls[${calls}].function.arguments`);
    if (part.kind === 'tool-call') calls++;
    blocks.push(...made);
  }
  return ok(blocks);
}

const notAnObject = (param: string): Parsed<never> =>
  refuse('invalid_request', { param, message: `${param} must be the JSON text of an object.` });
