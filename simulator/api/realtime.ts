// Realtime sessions on OpenAI's wire, as far as one can tell who listens from who talks: text in, text and tones out, usage with every response
// (`openai` 7.57, resources/realtime). Of the audio that comes in it knows the size alone.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { digestOf } from '../answer.ts';
import { isRecord, type Json } from '../shape.ts';
import { countTokens } from '../tokens.ts';

export type RealtimeAsk = { readonly model: string; readonly fault: string | undefined };

/** A session, or how it is refused. */
export type SessionAsked = (req: IncomingMessage) => RealtimeAsk | { readonly status: number; readonly body: unknown };

/** Base64 of 24 kHz PCM. */
const CHARACTERS_PER_SECOND = 64_000;
const PIECES = 5;

export class RealtimeServer {
  readonly #open = new Set<WebSocket>();
  /** Made with the first session, as its library is loaded only then. */
  #sockets: Promise<WebSocketServer> | undefined;

  constructor(http: Server, asked: SessionAsked) {
    http.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      const ask = asked(req);
      if ('status' in ask) return refuse(socket, ask.status, ask.body);
      socket.on('error', () => socket.destroy());
      this.#sockets ??= webSockets();
      void this.#sockets.then(sockets =>
        sockets.handleUpgrade(req, socket, head, client => {
          this.#open.add(client);
          client.once('close', () => this.#open.delete(client));
          new Conversation(client, ask).begin();
        }),
      );
    });
  }

  end(): void {
    for (const client of this.#open) client.terminate();
  }
}

async function webSockets(): Promise<WebSocketServer> {
  const { WebSocketServer } = await import('ws');
  return new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: offered => (offered.has('realtime') ? 'realtime' : false),
  });
}

function refuse(socket: Duplex, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} No\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
  );
}

class Conversation {
  readonly #client: WebSocket;
  readonly #ask: RealtimeAsk;
  readonly #said: string[] = [];
  #session: Json;
  #heard = 0;
  #context = { text: 0, audio: 0 };
  #made = 0;

  constructor(client: WebSocket, ask: RealtimeAsk) {
    this.#client = client;
    this.#ask = ask;
    this.#session = {
      id: `sess_${digestOf(ask.model).slice(0, 12)}`,
      object: 'realtime.session',
      type: 'realtime',
      model: ask.model,
      output_modalities: ['audio'],
    };
  }

  begin(): void {
    this.#client.on('message', data => this.#take(String(data)));
    this.#client.on('error', () => this.#client.terminate());
    this.#tell('session.created', { session: this.#session });
  }

  #take(text: string): void {
    let event: unknown;
    try {
      event = JSON.parse(text);
    } catch {
      return this.#wrong('invalid_json', 'Could not parse the event.');
    }
    if (!isRecord(event)) return this.#wrong('invalid_event', 'An event is an object.');
    switch (event.type) {
      case 'session.update':
        return this.#update(event.session as Json);
      case 'input_audio_buffer.append':
        this.#heard += String(event.audio).length;
        return;
      case 'input_audio_buffer.commit':
        return this.#commit();
      case 'conversation.item.create': {
        const item = event.item as Json;
        const texts = (item.content as Json[]).map(part => part.text ?? '');
        this.#said.push(...texts);
        this.#context.text += countTokens(texts.join(' '));
        return this.#tell('conversation.item.added', { item });
      }
      case 'response.create':
        return this.#respond();
      case 'response.cancel':
        return this.#wrong('response_cancel_not_active', 'Cancellation failed: no active response found');
      default:
        return this.#wrong('invalid_value', `Invalid value: '${event.type}'.`);
    }
  }

  #update(session: Json): void {
    if (session.model !== undefined && session.model !== this.#ask.model)
      return this.#wrong('cannot_update_model', 'The model of a session cannot be updated.');
    this.#session = { ...this.#session, ...session };
    this.#tell('session.updated', { session: this.#session });
  }

  /** A turn of speech: it is in the conversation, and written down where that was asked for. */
  #commit(): void {
    const seconds = this.#heard / CHARACTERS_PER_SECOND;
    this.#heard = 0;
    this.#context.audio += Math.ceil(seconds * 10);
    this.#tell('input_audio_buffer.committed', { item_id: 'item_1' });
    if (this.#session.audio?.input?.transcription?.model)
      this.#tell('conversation.item.input_audio_transcription.completed', {
        item_id: 'item_1',
        transcript: 'Heard.',
        usage: { type: 'duration', seconds: Math.ceil(seconds) },
      });
  }

  #respond(): void {
    const id = `resp_${++this.#made}`;
    const text = `Said ${this.#made}: ${this.#said.at(-1) ?? 'nothing'}`;
    this.#tell('response.created', { response: { id, object: 'realtime.response', status: 'in_progress' } });
    const audio = Buffer.alloc(4800, digestOf(text)).toString('base64');
    for (let piece = 0; piece < PIECES; piece++) {
      if (this.#ask.fault === 'cut' && piece === 2) return this.#client.terminate();
      if (this.#ask.fault === 'stall' && piece === 2) return;
      this.#tell('response.output_audio.delta', { response_id: id, delta: audio });
    }
    this.#tell('response.output_audio_transcript.done', { response_id: id, transcript: text });
    this.#tell('response.done', { response: { id, object: 'realtime.response', status: 'completed', usage: this.#usage(text) } });
  }

  #usage(text: string) {
    const { text: text_tokens, audio: audio_tokens } = this.#context;
    const out = { text_tokens: countTokens(text), audio_tokens: PIECES * 2 };
    this.#context = { text: text_tokens + out.text_tokens, audio: audio_tokens + out.audio_tokens };
    const [input_tokens, output_tokens] = [text_tokens + audio_tokens, out.text_tokens + out.audio_tokens];
    return {
      total_tokens: input_tokens + output_tokens,
      input_tokens,
      output_tokens,
      input_token_details: {
        text_tokens,
        audio_tokens,
        image_tokens: 0,
        cached_tokens: 0,
        cached_tokens_details: { text_tokens: 0, audio_tokens: 0 },
      },
      output_token_details: out,
    };
  }

  #wrong(code: string, message: string): void {
    this.#tell('error', { error: { type: 'invalid_request_error', code, message, param: null, event_id: null } });
  }

  #tell(type: string, rest: Json): void {
    if (this.#client.readyState === this.#client.OPEN)
      this.#client.send(JSON.stringify({ type, event_id: `event_${digestOf(type).slice(0, 8)}`, ...rest }));
  }
}
