// A reply as the stream that would have made it: for answers that are kept whole and asked for in pieces. The reverse of fold.ts.
import type { ChatEvent, ChatReply } from './reply.ts';
import type { AssistantPart } from './request.ts';

export const eventsOf = ({ id, model, parts, finish, usage, logprobs }: ChatReply): ChatEvent[] => [
  { kind: 'start', id, model },
  // Where a dialect tells the input at the beginning, it is known there.
  ...(usage ? [{ kind: 'usage', usage, alone: true } as const] : []),
  ...parts.flatMap(partEvents),
  ...(logprobs ? [{ kind: 'logprobs', logprobs } as const] : []),
  { kind: 'finish', finish },
  { kind: 'end' },
];

function partEvents(part: AssistantPart): ChatEvent[] {
  switch (part.kind) {
    case 'text':
      return [
        { kind: 'text-start' },
        { kind: 'text-delta', text: part.text },
        ...(part.citations ?? []).map(citation => ({ kind: 'citation', citation }) as const),
        { kind: 'part-end' },
      ];
    case 'refusal':
      return [{ kind: 'refusal-start' }, { kind: 'refusal-delta', text: part.text }, { kind: 'part-end' }];
    case 'redacted-thinking':
      return [part];
    case 'thinking': {
      const signature: ChatEvent[] = part.signature ? [{ kind: 'thinking-signature', signature: part.signature }] : [];
      return [{ kind: 'thinking-start' }, { kind: 'thinking-delta', text: part.text }, ...signature, { kind: 'part-end' }];
    }
    case 'tool-call': {
      const { id, name, arguments: json } = part;
      return [{ kind: 'tool-call-start', id, name }, { kind: 'tool-call-delta', json }, { kind: 'part-end' }];
    }
  }
}
