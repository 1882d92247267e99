// Folds the events of a stream into the reply it amounts to: the meaning of a stream, in one place.
import type { Failure } from '../failure.ts';
import type { Citation } from './citations/citation.ts';
import type { ChatEvent, ChatReply, Finish, Logprobs } from './reply.ts';
import type { AssistantPart } from './request.ts';
import type { Usage } from './usage.ts';

export type Folded = {
  readonly reply: ChatReply;
  /** The stream ended with its terminator or a finish reason, and without an error. */
  readonly complete: boolean;
  readonly failure?: Failure;
};

export function fold(events: Iterable<ChatEvent>): Folded {
  let id = '';
  let model = '';
  let finish: Finish | undefined;
  let usage: Usage | undefined;
  let logprobs: Logprobs | undefined;
  let failure: Failure | undefined;
  const parts: AssistantPart[] = [];
  let open: AssistantPart | undefined;
  let cited: Citation[] = [];
  const close = () => {
    if (open) parts.push(open.kind === 'text' && cited.length > 0 ? { ...open, citations: cited } : open);
    open = undefined;
    cited = [];
  };
  for (const event of events) {
    switch (event.kind) {
      case 'start':
        id = event.id;
        model = event.model;
        break;
      case 'text-start':
        open = { kind: 'text', text: '' };
        break;
      case 'thinking-start':
        open = { kind: 'thinking', text: '' };
        break;
      case 'refusal-start':
        open = { kind: 'refusal', text: '' };
        break;
      case 'tool-call-start':
        open = { kind: 'tool-call', id: event.id, name: event.name, arguments: '' };
        break;
      case 'text-delta':
      case 'thinking-delta':
      case 'refusal-delta':
        if (open && 'text' in open) open = { ...open, text: open.text + event.text };
        break;
      case 'thinking-signature':
        if (open?.kind === 'thinking') open = { ...open, signature: (open.signature ?? '') + event.signature };
        break;
      case 'tool-call-delta':
        if (open?.kind === 'tool-call') open = { ...open, arguments: open.arguments + event.json };
        break;
      case 'citation':
        cited.push(event.citation);
        break;
      case 'part-end':
        close();
        break;
      case 'redacted-thinking':
        parts.push({ kind: 'redacted-thinking', data: event.data });
        break;
      case 'logprobs':
        logprobs = mergeLogprobs(logprobs, event.logprobs);
        break;
      case 'usage':
        usage = event.usage;
        break;
      case 'finish':
        finish = event.finish;
        break;
      case 'error':
        failure = event.failure;
        break;
      case 'server-tool':
      case 'end':
        break;
    }
  }
  close();
  const reply: ChatReply = {
    id,
    model,
    parts,
    finish: finish ?? { reason: 'stop', isAssumed: true },
    ...(usage && { usage }),
    ...(logprobs && { logprobs }),
  };
  return { reply, complete: finish !== undefined && failure === undefined, ...(failure && { failure }) };
}

/** Concatenates the arrays of the chunks' logprobs (`content`, `refusal`) field by field. */
function mergeLogprobs(a: Logprobs | undefined, b: Logprobs): Logprobs {
  if (!a) return b;
  const merged: Record<string, unknown> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const before = merged[name];
    merged[name] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : (value ?? before);
  }
  return merged;
}
