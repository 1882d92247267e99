// What of a realtime session's events (`openai` 7.57, resources/realtime) says what it costs, and what may not be asked for. Others go by.
import { isUtf8 } from 'node:buffer';
import { noUsage, promptTokens, type Usage } from '#core/chat/usage.ts';
import { type Failure, failures, ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import { scanObject } from '#core/json/scan.ts';
import { tokens } from '#core/units.ts';
import { meterOf } from '../passthrough/meters.ts';

/** Types that are looked into; of any other the name is enough. */
const NOTABLE = new Set([
  'session.created',
  'session.updated',
  'response.created',
  'response.done',
  'conversation.item.input_audio_transcription.completed',
  'error',
]);

const TYPE = /"type"\s*:\s*"([a-z_.]{1,100})"/;
const HEAD = 200;

/** A type by the beginning of an event, where its wire has it. */
const typeAt = (text: string): string | undefined => TYPE.exec(text.slice(0, HEAD))?.[1];

/** What a server's event tells; most are passed on unread. */
export type Told =
  | { readonly kind: 'began' }
  | { readonly kind: 'ended'; readonly usage: Usage | undefined; readonly id: string | undefined }
  | { readonly kind: 'transcribed'; readonly usage: Usage | undefined }
  | { readonly kind: 'session'; readonly transcriber: string | undefined }
  | { readonly kind: 'output'; readonly tokens: number }
  | { readonly kind: 'error'; readonly about: string | undefined }
  | { readonly kind: 'other' };

const OTHER: Told = { kind: 'other' };

export function toldBy(text: string): Told {
  const head = typeAt(text);
  if (head !== undefined && !NOTABLE.has(head)) return outputOf(head, text);
  const event = parseRecord(text);
  switch (event?.type) {
    case 'response.created':
      return { kind: 'began' };
    case 'response.done': {
      const response = isRecord(event.response) ? event.response : {};
      const usage = isRecord(response.usage) ? meterOf('realtime').usageIn(response, NOT_ASKED) : undefined;
      return { kind: 'ended', usage, id: typeof response.id === 'string' ? response.id : undefined };
    }
    case 'conversation.item.input_audio_transcription.completed':
      return { kind: 'transcribed', usage: meterOf('transcription').usageIn(event, NOT_ASKED) };
    case 'error':
      return { kind: 'error', about: isRecord(event.error) ? idIn(event.error) : undefined };
    case 'session.created':
    case 'session.updated':
      return { kind: 'session', transcriber: transcribersIn(event)[0] };
    default:
      return OTHER;
  }
}

const NOT_ASKED = { body: {}, bytes: 0, files: 0 };

/** Base64 of 24 kHz PCM: 64,000 characters are a second, which has 20 tokens when it comes out (OpenAI's page "Realtime, costs"). */
const AUDIO_CHARACTERS_PER_TOKEN = 3200;
const TEXT_CHARACTERS_PER_TOKEN = 4;

function outputOf(type: string, text: string): Told {
  if (!type.startsWith('response.') || !type.endsWith('.delta')) return OTHER;
  const isAudio = type === 'response.output_audio.delta' || type === 'response.audio.delta';
  return { kind: 'output', tokens: text.length / (isAudio ? AUDIO_CHARACTERS_PER_TOKEN : TEXT_CHARACTERS_PER_TOKEN) };
}

/** Base64 of 8 kHz G.711, the least there is: a second has ten tokens when it goes in. */
const AUDIO_CHARACTERS_PER_INPUT_TOKEN = 1000;

/** Tokens that a client's event adds to what the model reads, at most. @param size of it, in characters */
export const addedBy = ({ type }: JsonRecord, size: number): number =>
  type === 'input_audio_buffer.append' ? Math.ceil(size / AUDIO_CHARACTERS_PER_INPUT_TOKEN) : size;

/** Which models write down what is heard: where the API has it since its first release, and where it had it before. */
function transcribersIn({ session }: JsonRecord): readonly string[] {
  if (!isRecord(session)) return [];
  const input = isRecord(session.audio) && isRecord(session.audio.input) ? session.audio.input : {};
  return [input.transcription, session.input_audio_transcription].flatMap(settings =>
    isRecord(settings) && typeof settings.model === 'string' ? settings.model : [],
  );
}

/** Models that a client's event asks for. */
export function modelsAskedBy(event: JsonRecord): { readonly session?: string; readonly transcribers: readonly string[] } {
  if (event.type !== 'session.update' && event.type !== 'transcription_session.update') return { transcribers: [] };
  const session = isRecord(event.session) ? event.session : {};
  return { transcribers: transcribersIn(event), ...(typeof session.model === 'string' && { session: session.model }) };
}

export const asksForResponse = ({ type }: JsonRecord): boolean => type === 'response.create';

/** The id that a client may give an event: an error names it to say which event it is about. */
export const idIn = ({ event_id: id }: JsonRecord): string | undefined => (typeof id === 'string' ? id : undefined);

const LIMITS = { maxDepth: 128, interpreted: new Set(['type', 'session', 'response', 'item', 'event_id']), isUtf8 };

/** An event of a client as every reader has it: one object, no name twice. Of anything else, two readers could understand different things. */
export function eventOf(data: Buffer, isBinary: boolean): Parsed<JsonRecord> {
  if (isBinary) return refuse('invalid_request', { message: 'Events are text: a binary message is none.' });
  const event = scanObject(data, LIMITS);
  return event.ok ? ok(event.value.whole()) : event;
}

/** Seconds of what was heard, where nobody says what to write it down cost. @param heard tokens of audio */
export const estimatedTranscription = (heard: number): Usage =>
  meterOf('transcription').estimate({ ...NOT_ASKED, bytes: heard * BYTES_PER_HEARD_TOKEN });
const BYTES_PER_HEARD_TOKEN = 800;

/** What a response used that was not told of: what had come out, and all that may have gone in. */
export const estimatedUsage = (input: number, output: number): Usage => ({
  ...noUsage,
  inputUncached: tokens(Math.ceil(input)),
  output: tokens(Math.ceil(output)),
  audioOutput: tokens(Math.ceil(output)),
});

/** What the next response reads of the one before. */
export const carriedOn = (usage: Usage): number => promptTokens(usage) + usage.output;

export const errorEvent = ({ class: code, message = failures[code].message }: Failure): string =>
  JSON.stringify({ type: 'error', error: { type: failures[code].openAI, code, message, param: null, event_id: null } });
