// An answer that is kept, said again as a stream: at once, or in pieces at about the pace of a fast model, so that what a client shows
// grows as it always does.
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import { eventsOf } from '#core/chat/unfold.ts';
import type { StreamEncoder } from './frontends/frontend.ts';
import type { ClientResponse } from './http/client-response.ts';

/** Characters of a piece: about eight tokens. */
const PIECE = 32;
const PACE_MS = 8;
/** Pieces of a long answer are larger: nobody waits a minute for what is there. */
const MAX_PIECES = 150;

type Client = Pick<ClientResponse, 'write' | 'stays' | 'gone' | 'listener' | 'endStream'>;

/** The whole stream, as the pieces that are written one by one. */
export function piecesOf(reply: ChatReply, encoder: StreamEncoder, pace: 'Paced' | 'Instant'): string[] {
  const size = pace === 'Instant' ? Number.POSITIVE_INFINITY : Math.max(PIECE, Math.ceil(lengthOf(reply) / MAX_PIECES));
  const pieces: string[] = [];
  let piece = '';
  for (const event of eventsOf(reply))
    for (const part of partsOf(event, size)) {
      piece += encoder.push(part);
      if (!isDelta(part) || pace === 'Instant') continue;
      if (piece !== '') pieces.push(piece);
      piece = '';
    }
  if (piece !== '') pieces.push(piece);
  return pieces;
}

/** @returns false: the client has left */
export async function writePieces(client: Client, pieces: readonly string[]): Promise<boolean> {
  for (const [at, piece] of pieces.entries()) {
    if (at > 0 && !(await client.stays(PACE_MS))) return false;
    if (!client.write(piece) && !(await drained(client))) return false;
  }
  if (client.gone) return false;
  client.endStream();
  return true;
}

const drained = (client: Client): Promise<boolean> =>
  new Promise(resolve => {
    const done = (isHere: boolean) => {
      client.listener = undefined;
      resolve(isHere);
    };
    client.listener = { clientLeft: () => done(false), clientDrained: () => done(true) };
  });

type Delta = Extract<ChatEvent, { kind: 'text-delta' | 'thinking-delta' | 'refusal-delta' | 'tool-call-delta' }>;

const isDelta = (event: ChatEvent): event is Delta => event.kind.endsWith('-delta');

const textOf = (event: Delta): string => (event.kind === 'tool-call-delta' ? event.json : event.text);

function partsOf(event: ChatEvent, size: number): ChatEvent[] {
  if (!isDelta(event)) return [event];
  return split(textOf(event), size).map(part =>
    event.kind === 'tool-call-delta' ? { ...event, json: part } : { ...event, text: part },
  );
}

/** Never between the halves of a character. */
function split(text: string, size: number): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    if (end < text.length && isHigh(text.charCodeAt(end - 1))) end++;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;

const lengthOf = (reply: ChatReply): number =>
  reply.parts.reduce(
    (sum, part) => sum + ('text' in part ? part.text.length : part.kind === 'tool-call' ? part.arguments.length : 0),
    0,
  );
