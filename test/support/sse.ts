// Reads server-sent events the way a careful client does; written apart from the gateway's own reader, so that a mistake there shows.
export type Message = { readonly event: string; readonly data: string };

/** Messages of a whole body. A last message without its blank line is left out, as the standard says. */
export function messagesIn(body: string): Message[] {
  const blocks = body
    .replace(/^\uFEFF/, '')
    .replaceAll(/\r\n|\r/g, '\n')
    .split('\n\n');
  return blocks.slice(0, -1).flatMap(block => {
    const fields = block.split('\n').map(fieldOf);
    const data = fields.filter(field => field.name === 'data').map(field => field.value);
    const event = fields.findLast(field => field.name === 'event')?.value ?? '';
    return data.length > 0 ? [{ event, data: data.join('\n') }] : [];
  });
}

function fieldOf(line: string): { name: string; value: string } {
  const colon = line.indexOf(':');
  if (colon < 0) return { name: line, value: '' };
  return { name: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ /, '') };
}

/** The text that a streamed answer amounts to, in OpenAI's chat dialect or Anthropic's. */
export function answerText(body: string): string {
  return messagesIn(body)
    .filter(({ data }) => data !== '[DONE]')
    .map(({ data }) => JSON.parse(data))
    .map(event => event.choices?.[0]?.delta?.content ?? event.delta?.text ?? '')
    .join('');
}

/** Whether it ended as a good answer of one of these does. */
export function isTerminated(body: string): boolean {
  const last = messagesIn(body).at(-1);
  return last !== undefined && (last.data === '[DONE]' || last.event === 'message_stop');
}
