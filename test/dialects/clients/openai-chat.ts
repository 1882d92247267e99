// Chat completions, as a client of OpenAI's writes and reads it.
import assert from 'node:assert/strict';
import { messagesIn } from '#test/support/sse.ts';
import type { Answer, Ask, Client, Finish, Json, Part, Turn } from '../ask.ts';

export const openAIChat: Client = {
  dialect: 'openai-chat',
  lacks: new Set(['citations', 'failed', 'plain', 'count', 'prompts']),
  write: ask => ({ path: '/v1/chat/completions', body: bodyOf(ask) }),
  readWhole: ({ choices, usage }) => answerOf(choices, usage),
  readStream,
  readError,
};

function bodyOf(ask: Ask): Json {
  const {
    model,
    stream,
    system,
    marked,
    turns,
    tools,
    choice,
    parallel,
    format,
    thinking,
    maxTokens,
    penalties,
    n,
    user,
    search,
  } = ask;
  const first = marked ? [{ type: 'text', text: system, prompt_cache_breakpoint: { mode: 'explicit' } }] : system;
  return {
    model,
    messages: [...(system ? [{ role: 'system', content: first }] : []), ...turns.flatMap(messagesOf)],
    stream,
    stream_options: stream && { include_usage: true },
    tools: tools?.map(({ name, parameters }) => ({ type: 'function', function: { name, parameters } })),
    tool_choice: typeof choice === 'object' ? { type: 'function', function: { name: choice.tool } } : choice,
    parallel_tool_calls: parallel,
    response_format: formatOf(format),
    reasoning_effort: thinking && 'low',
    max_completion_tokens: maxTokens,
    stop: ask.stop,
    temperature: ask.temperature,
    top_p: ask.topP,
    top_k: ask.topK,
    seed: ask.seed,
    frequency_penalty: penalties,
    presence_penalty: penalties,
    logprobs: ask.logprobs,
    n,
    user,
    web_search_options: search && {},
  };
}

function formatOf(format: Ask['format']): Json {
  if (format === undefined) return undefined;
  if (format === 'json') return { type: 'json_object' };
  return { type: 'json_schema', json_schema: { name: 'person', schema: format.schema, strict: true } };
}

function messagesOf(turn: Turn): Json[] {
  if ('answer' in turn) return [turn.answer];
  if ('said' in turn) return [{ role: 'assistant', content: turn.said }];
  if ('user' in turn) return [{ role: 'user', content: turn.user.map(partOf) }];
  return turn.results.map(({ call, output }) => ({ role: 'tool', tool_call_id: call.id, content: output }));
}

function partOf(part: Part): Json {
  switch (part.kind) {
    case 'image':
      return { type: 'image_url', image_url: { url: `data:image/png;base64,${part.data}` } };
    case 'image-url':
      return { type: 'image_url', image_url: { url: part.url } };
    case 'pdf':
      return { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${part.data}` } };
    case 'wav':
      return { type: 'input_audio', input_audio: { format: 'wav', data: part.data } };
    default:
      return { type: 'text', text: part.text };
  }
}

const finishes: Readonly<Record<string, Finish>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'calls',
  content_filter: 'filtered',
};

function answerOf(choices: Json[], usage: Json): Answer {
  const [{ message, finish_reason, logprobs }] = choices as [Json];
  return {
    text: message.content ?? '',
    thinking: message.reasoning_content ?? message.reasoning ?? '',
    refusal: message.refusal ?? '',
    calls: (message.tool_calls ?? []).map(({ id, function: called }: Json) => ({
      id,
      name: called.name,
      arguments: JSON.parse(called.arguments),
    })),
    finish: finishes[finish_reason],
    usage: usageOf(usage),
    choices: choices.length,
    hasLogprobs: (logprobs?.content?.length ?? 0) > 0,
    citations: (message.annotations ?? []).map(({ url_citation: { url, start_index, end_index } }: Json) => ({
      source: url,
      words: pointsIn(message.content, start_index, end_index),
    })),
    turn: message,
  };
}

/** Places count characters as Python does. */
export const pointsIn = (text: string, start: number, end: number): string => [...text].slice(start, end).join('');

/** Of chat and of completions. */
export const usageOf = (usage: Json): Answer['usage'] =>
  usage && {
    input: usage.prompt_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    output: usage.completion_tokens,
  };

/** Of a stream that ends well. */
export function chunksIn(bytes: Buffer): Json[] {
  const messages = messagesIn(bytes.toString());
  assert.equal(messages.at(-1)?.data, '[DONE]');
  return messages.slice(0, -1).map(({ data }) => {
    const chunk = JSON.parse(data);
    assert.ok(!chunk.error, data);
    return chunk;
  });
}

function readStream(bytes: Buffer): Answer {
  const choices: Json[] = [];
  let usage: Json;
  for (const chunk of chunksIn(bytes)) {
    usage = chunk.usage ?? usage;
    for (const { index, delta, finish_reason, logprobs } of chunk.choices) {
      choices[index] ??= { message: { role: 'assistant', content: null }, finish_reason: null };
      const { message } = choices[index];
      for (const name of ['content', 'refusal', 'reasoning', 'reasoning_content'])
        if (delta[name]) message[name] = (message[name] ?? '') + delta[name];
      for (const call of delta.tool_calls ?? []) addCall(message, call);
      if (delta.annotations) message.annotations = delta.annotations;
      choices[index].finish_reason ??= finish_reason;
      choices[index].logprobs ??= logprobs;
    }
  }
  return answerOf(choices, usage);
}

function addCall(message: Json, { index, id, function: called }: Json): void {
  message.tool_calls ??= [];
  message.tool_calls[index] ??= { id, type: 'function', function: { name: called.name, arguments: '' } };
  message.tool_calls[index].function.arguments += called.arguments ?? '';
}

/** The same envelope in all of OpenAI's dialects. */
export function readError({ error, request_id }: Json) {
  assert.ok(error.message && error.type && request_id, JSON.stringify(error));
  return { code: error.code, param: error.param ?? undefined };
}
