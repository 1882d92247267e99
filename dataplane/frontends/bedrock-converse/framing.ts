// How a stream is framed for a client of this dialect: each SSE message as one of AWS's binary messages.
import { EVENT_STREAM_TYPE, eventMessage } from '#platform/aws-event-stream.ts';
import type { StreamFraming } from '../frontend.ts';

type Message = { readonly event: string; readonly data: string };

export const eventStream = (messagesOf: (block: Buffer) => readonly Message[]): StreamFraming => ({
  contentType: EVENT_STREAM_TYPE,
  // There is none in this format that says nothing.
  heartbeat: '',
  frames: sse => Buffer.concat(messagesOf(typeof sse === 'string' ? Buffer.from(sse) : sse).map(framed)),
  end: () => '',
});

const JSON_TYPE = { ':content-type': 'application/json' };

function framed({ event, data }: Message): Buffer {
  const headers = event.endsWith('Exception')
    ? { ':exception-type': event, ...JSON_TYPE, ':message-type': 'exception' }
    : { ':event-type': event, ...JSON_TYPE, ':message-type': 'event' };
  return eventMessage(headers, Buffer.from(data));
}
