// Messages, as a client of Anthropic's writes and reads it.
import assert from 'node:assert/strict';
import { messagesIn } from '#test/support/sse.ts';
import { type Answer, type Ask, type Client, type Finish, type Json, type Part, type Turn, textOf } from '../ask.ts';

export const anthropicMessages: Client = {
  dialect: 'anthropic-messages',
  lacks: new Set(['json-object', 'seed', 'penalties', 'logprobs', 'n', 'wav', 'prompts']),
  write: ask => ({ path: '/v1/messages', body: bodyOf(ask) }),
  count: {
    write: ask => {
      const { max_tokens: _max, ...body } = bodyOf(ask);
      return { path: '/v1/messages/count_tokens', body };
    },
    read: ({ input_tokens }) => input_tokens,
  },
  readWhole: answerOf,
  readStream,
  readError,
};

function bodyOf(ask: Ask): Json {
  const { system, marked, tools, thinking, format, user, search } = ask;
  return {
    model: ask.model,
    max_tokens: ask.maxTokens ?? (thinking ? 4000 : 1000),
    system: marked ? [{ type: 'text', text: system, cache_control: { type: 'ephemeral' } }] : system,
    messages: ask.turns.map(messageOf),
    stream: ask.stream,
    tools: search
      ? [{ type: 'web_search_20250305', name: 'web_search' }]
      : tools?.map(({ name, parameters }) => ({ name, input_schema: parameters ?? { type: 'object' } })),
    tool_choice: choiceOf(ask),
    output_config: typeof format === 'object' ? { format: { type: 'json_schema', schema: format.schema } } : undefined,
    thinking: thinking && { type: 'enabled', budget_tokens: 2000 },
    stop_sequences: ask.stop,
    temperature: ask.temperature,
    top_p: ask.topP,
    top_k: ask.topK,
    metadata: user && { user_id: user },
  };
}

function choiceOf({ choice, parallel }: Ask): Json {
  if (choice === undefined) return parallel === false ? { type: 'auto', disable_parallel_tool_use: true } : undefined;
  if (typeof choice === 'object') return { type: 'tool', name: choice.tool };
  return { type: choice === 'required' ? 'any' : 'none' };
}

function messageOf(turn: Turn): Json {
  if ('answer' in turn) return { role: 'assistant', content: turn.answer };
  if ('said' in turn) return { role: 'assistant', content: turn.said };
  if ('user' in turn) return { role: 'user', content: turn.user.map(blockOf) };
  const content = turn.results.map(({ call, output, failed }) => ({
    type: 'tool_result',
    tool_use_id: call.id,
    content: output,
    is_error: failed,
  }));
  return { role: 'user', content };
}

function blockOf(part: Part): Json {
  switch (part.kind) {
    case 'image':
      return { type: 'image', source: { type: 'base64', media_type: 'image/png', data: part.data } };
    case 'image-url':
      return { type: 'image', source: { type: 'url', url: part.url } };
    case 'pdf':
      return {
        type: 'document',
        source: { type: 'base64', media_type: 'application/pdf', data: part.data },
        ...(part.citations && { citations: { enabled: true } }),
      };
    case 'plain':
      return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: part.text } };
    case 'wav':
      return assert.fail('this dialect has no audio');
    case 'text':
      return { type: 'text', text: part.text };
  }
}

const finishes: Readonly<Record<string, Finish>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'calls',
  refusal: 'filtered',
};

function answerOf({ content, stop_reason, usage = {} }: Json): Answer {
  const said = textOf(content.filter(({ type }: Json) => type === 'text'));
  const cached = usage.cache_read_input_tokens ?? 0;
  const isRefusal = stop_reason === 'refusal';
  return {
    text: isRefusal ? '' : said,
    thinking: content.map(({ thinking }: Json) => thinking ?? '').join(''),
    refusal: isRefusal ? said : '',
    calls: content.flatMap(({ type, id, name, input }: Json) => (type === 'tool_use' ? [{ id, name, arguments: input }] : [])),
    finish: finishes[stop_reason],
    usage: { input: usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0), cached, output: usage.output_tokens },
    choices: 1,
    hasLogprobs: false,
    citations: content.flatMap(({ text, citations }: Json) =>
      (citations ?? []).map(({ url, document_index, start_page_number }: Json) => ({
        source: url ?? `document ${document_index}, page ${start_page_number}`,
        words: text,
      })),
    ),
    turn: content,
  };
}

function readStream(bytes: Buffer): Answer {
  let message: Json = {};
  const json: string[] = [];
  const events: Json[] = messagesIn(bytes.toString()).map(({ data }) => JSON.parse(data));
  assert.equal(events.at(-1)?.type, 'message_stop', JSON.stringify(events.at(-1)));
  for (const event of events) {
    if (event.type === 'message_start') message = event.message;
    if (event.type === 'content_block_start') message.content[event.index] = event.content_block;
    if (event.type === 'content_block_delta') addDelta(message.content[event.index], event, json);
    if (event.type === 'message_delta') {
      message.stop_reason = event.delta.stop_reason;
      message.usage = { ...message.usage, ...event.usage };
    }
  }
  for (const [index, text] of json.entries()) if (text) message.content[index].input = JSON.parse(text);
  return answerOf(message);
}

function addDelta(block: Json, { index, delta }: Json, json: string[]): void {
  if (delta.type === 'text_delta') block.text += delta.text;
  if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
  if (delta.type === 'signature_delta') block.signature = delta.signature;
  if (delta.type === 'citations_delta') block.citations = [...(block.citations ?? []), delta.citation];
  if (delta.type === 'input_json_delta') json[index] = (json[index] ?? '') + delta.partial_json;
}

function readError({ type, error, request_id }: Json) {
  assert.ok(type === 'error' && error.type && error.message && request_id, JSON.stringify(error));
  return { code: error.code, param: error.param };
}
