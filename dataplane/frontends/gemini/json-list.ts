// How a stream is framed for a client that did not ask for SSE (`alt=sse`): one JSON list, whose items come one by one.
import type { StreamFraming } from '../frontend.ts';

/** White space between items says nothing, and keeps a connection alive. */
const HEARTBEAT = '\n';

export function jsonList(messagesOf: (block: Buffer) => readonly { readonly data: string }[]): StreamFraming {
  let hasItems = false;
  const item = (json: string): string => {
    const before = hasItems ? ',\r\n' : '[';
    hasItems = true;
    return before + json;
  };
  return {
    contentType: 'application/json; charset=utf-8',
    heartbeat: HEARTBEAT,
    frames: sse =>
      messagesOf(typeof sse === 'string' ? Buffer.from(sse) : sse)
        .map(({ data }) => item(data))
        .join(''),
    end: () => (hasItems ? ']' : '[]'),
  };
}
