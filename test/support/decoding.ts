// A stream through the reader of a wire and the writer of a dialect alone: without what relays hold back, add or find out.
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import type { Frontend, ReplyContext } from '#dataplane/frontends/frontend.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import type { Provider, SseMessage } from '#dataplane/providers/provider.ts';

type Decodes = Pick<Provider, 'streamDecoder' | 'framing'>;

export const replyContext: ReplyContext = {
  requestId: '0190b5a8-0000-7000-8000-000000000000',
  createdSeconds: 1_790_000_000,
  includeUsage: true,
};

/** The messages of a stream that comes in these pieces. */
export function messagesIn(pieces: Iterable<Buffer>, framing?: Provider['framing']): SseMessage[] {
  const reframer = framing?.reframer();
  const blocks = new SseBlocks(8 << 20);
  const messages: SseMessage[] = [];
  for (const piece of pieces) {
    const block = blocks.push(reframer ? reframer.push(piece) : piece);
    if (block === 'too-long') throw new Error('a frame is too long');
    if (block) messages.push(...messagesOf(block));
  }
  return messages;
}

/** What a wire reads of messages that are all there will be. */
export function eventsOf({ streamDecoder }: Pick<Provider, 'streamDecoder'>, messages: readonly SseMessage[]): ChatEvent[] {
  const decoder = streamDecoder();
  return [...messages.flatMap(message => decoder.push(message)), ...decoder.close()];
}

export const eventsIn = (wire: Decodes, pieces: Iterable<Buffer>): ChatEvent[] =>
  eventsOf(wire, messagesIn(pieces, wire.framing));

/** The stream as a client of the frontend gets it. */
export function encodedFor({ streamEncoder }: Frontend, events: readonly ChatEvent[]): string {
  const encoder = streamEncoder(replyContext);
  return events.map(event => encoder.push(event)).join('');
}

/** Without how often the provider ran tools of its own, and how it served: of an answer that was written anew, the gateway alone knows. */
export function asTold(reply: ChatReply): ChatReply {
  if (!reply.usage) return reply;
  const { toolCalls: _tools, service: _service, ...usage } = reply.usage;
  return { ...reply, usage };
}

export function* oneByOne(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}
