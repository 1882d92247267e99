// Bedrock's binary frames as SSE text, so that everything after this reads one kind of stream. A frame's name becomes the event, its payload
// the data: `event: contentBlockDelta`, or an exception's name (`throttlingException`).
import { type EventMessage, EventStreamReader } from '#platform/aws-event-stream.ts';
import type { Reframer } from '../provider.ts';
import { EVENT_STREAM } from './address.ts';

type Framing = { readonly contentType: string; reframer(): Reframer };

/** @param eventOf of a message that is an event; undefined: it says nothing */
const framing = (eventOf: (message: EventMessage) => Frame | undefined): Framing => ({
  contentType: EVENT_STREAM,
  reframer() {
    const reader = new EventStreamReader();
    let told = false;
    return {
      push(chunk) {
        const frames = reader.push(chunk).map(message => frameOf(message, eventOf));
        if (reader.broken !== undefined && !told) {
          told = true;
          frames.push(unreadable(reader.broken));
        }
        return Buffer.from(frames.map(frame => (frame ? sse(frame) : '')).join(''));
      },
    };
  },
});

type Frame = { readonly event: string; readonly data: string };

/** Converse's events: the payload is the event. */
export const converseFraming = framing(({ headers, payload }) => ({
  event: headers[':event-type'] ?? '',
  data: payload.toString(),
}));

/** InvokeModel's: the payload has, in base64, an event of the model's own dialect. One without a type is a sign of life. */
export const invokeFraming = framing(({ payload }) => {
  const { bytes } = (jsonOf(payload.toString()) ?? {}) as { bytes?: unknown };
  if (typeof bytes !== 'string') return unreadable('a chunk has no bytes');
  const data = Buffer.from(bytes, 'base64').toString();
  const event = typeOf(data);
  return event === null ? unreadable('a chunk is no JSON') : event === '' ? undefined : { event, data };
});

function frameOf(message: EventMessage, eventOf: (message: EventMessage) => Frame | undefined): Frame | undefined {
  const { headers, payload } = message;
  switch (headers[':message-type']) {
    case 'event':
      return eventOf(message);
    case 'exception':
      return { event: exceptionName(headers[':exception-type']), data: payload.toString() };
    case 'error':
      return { event: 'error', data: JSON.stringify({ code: headers[':error-code'], message: headers[':error-message'] }) };
    default:
      return unreadable('a message is neither event nor exception');
  }
}

/** As the frame names it, where that is a name; a name that is none must not pass for an event. */
const exceptionName = (name = ''): string => (/^[A-Za-z]{1,64}Exception$/.test(name) ? name : 'internalServerException');

/** The bytes cannot be read, or not from here on. */
const unreadable = (why: string): Frame => ({ event: 'error', data: JSON.stringify({ unreadable: why }) });

/** A payload is one line, as a rule. A line end in it, where JSON allows one, begins another `data:`. */
const sse = ({ event, data }: Frame): string =>
  `event: ${event.replace(/[\r\n]/g, '')}\ndata: ${/[\r\n]/.test(data) ? data.split(/\r\n|[\r\n]/).join('\ndata: ') : data}\n\n`;

/** '' where there is none, null where the text is no JSON. Events begin with their type, as a rule: then that is all that is read. */
function typeOf(event: string): string | null {
  const first = /^\{"type":"(\w+)"/.exec(event)?.[1];
  if (first !== undefined) return first;
  const value = jsonOf(event);
  if (typeof value !== 'object' || value === null) return null;
  return 'type' in value && typeof value.type === 'string' ? value.type : '';
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
