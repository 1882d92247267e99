// Which answers may be given again: whole ones that ended by themselves.
import type { ChatReply } from '../chat/reply.ts';
import type { AnswerCache } from '../snapshot/snapshot.ts';

/** Never one that was cut short, refused or filtered, nor one that says nothing, nor one of which it is not told how it ended. */
export function isKeepable({ parts, finish }: ChatReply, { toolCalls }: Pick<AnswerCache, 'toolCalls'>): boolean {
  if (finish.isAssumed || parts.some(part => part.kind === 'refusal')) return false;
  const calls = parts.some(part => part.kind === 'tool-call');
  if (calls || finish.reason === 'tool-calls')
    return toolCalls && calls && (finish.reason === 'tool-calls' || isEnd(finish.reason));
  return isEnd(finish.reason) && parts.some(part => part.kind === 'text' && part.text !== '');
}

/** A stop sequence is the end that the client asked for. */
const isEnd = (reason: ChatReply['finish']['reason']): boolean => reason === 'stop' || reason === 'stop-sequence';
