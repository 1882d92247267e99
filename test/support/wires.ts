// Small well-formed answers of OpenAI's chat wire and of Anthropic's, for scripted upstreams.

export const openaiReply = (text: string, rest: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: 'chatcmpl-scripted',
  object: 'chat.completion',
  created: 1_790_000_000,
  model: 'gpt-scripted',
  choices: [{ index: 0, message: { role: 'assistant', content: text, refusal: null }, logprobs: null, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  ...rest,
});

export const anthropicReply = (text: string, rest: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: 'msg_scripted',
  type: 'message',
  role: 'assistant',
  model: 'claude-scripted',
  content: [{ type: 'text', text }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 9, output_tokens: 3 },
  ...rest,
});

/** Frames of one wire's stream: joined they are a whole good answer. */
export type ScriptedStream = {
  /** What comes before the first content token. */
  readonly opening: string;
  readonly content: (text: string) => string;
  /** From the finish to the terminator. */
  readonly ending: string;
};

const chunk = (choices: readonly unknown[], rest: Record<string, unknown> = {}): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1_790_000_000, model: 'gpt-scripted', choices, ...rest })}\n\n`;

const delta = (delta: Record<string, unknown>, finish: string | null = null): string =>
  chunk([{ index: 0, delta, finish_reason: finish }]);

export const openaiStream: ScriptedStream = {
  opening: delta({ role: 'assistant', content: '' }),
  content: text => delta({ content: text }),
  ending: `${delta({}, 'stop')}${chunk([], { usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } })}data: [DONE]\n\n`,
};

const event = (body: { readonly type: string; readonly [field: string]: unknown }): string =>
  `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`;

export const anthropicStream: ScriptedStream = {
  opening:
    event({
      type: 'message_start',
      message: { ...anthropicReply(''), content: [], stop_reason: null, usage: { input_tokens: 9, output_tokens: 1 } },
    }) + event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  content: text => event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  ending:
    event({ type: 'content_block_stop', index: 0 }) +
    event({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } }) +
    event({ type: 'message_stop' }),
};

export const wholeStream = (stream: ScriptedStream, ...texts: readonly string[]): string =>
  stream.opening + texts.map(stream.content).join('') + stream.ending;
