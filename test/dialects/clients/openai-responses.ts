// The Responses API, as a client that keeps its own history writes and reads it.
import assert from 'node:assert/strict';
import { messagesIn } from '#test/support/sse.ts';
import { type Answer, type Ask, type Client, type Finish, type Json, type Part, type Turn, textOf } from '../ask.ts';
import { pointsIn, readError } from './openai-chat.ts';

export const openAIResponses: Client = {
  dialect: 'openai-responses',
  lacks: new Set(['citations', 'failed', 'plain', 'stop', 'seed', 'penalties', 'topK', 'n', 'count', 'prompts']),
  write: ask => ({ path: '/v1/responses', body: bodyOf(ask) }),
  readWhole: answerOf,
  readStream,
  readError,
};

function bodyOf(ask: Ask): Json {
  const { tools, choice, format, thinking } = ask;
  return {
    model: ask.model,
    instructions: ask.marked ? undefined : ask.system,
    input: [...markedSystem(ask), ...ask.turns.flatMap(itemsOf)],
    store: false,
    stream: ask.stream,
    tools: ask.search ? [{ type: 'web_search' }] : tools?.map(functionOf),
    tool_choice: typeof choice === 'object' ? { type: 'function', name: choice.tool } : choice,
    parallel_tool_calls: ask.parallel,
    text: formatOf(format),
    reasoning: thinking && { effort: 'low', summary: 'auto' },
    include: includesOf(ask),
    max_output_tokens: ask.maxTokens,
    temperature: ask.temperature,
    top_p: ask.topP,
    top_logprobs: ask.logprobs && 1,
    user: ask.user,
  };
}

const functionOf = ({ name, parameters = { type: 'object', properties: {} } }: NonNullable<Ask['tools']>[number]) => ({
  type: 'function',
  name,
  parameters,
  strict: false,
});

const markedSystem = ({ system, marked }: Ask): Json[] =>
  marked
    ? [{ role: 'system', content: [{ type: 'input_text', text: system, prompt_cache_breakpoint: { mode: 'explicit' } }] }]
    : [];

function includesOf({ thinking, logprobs }: Ask): string[] | undefined {
  if (thinking) return ['reasoning.encrypted_content'];
  return logprobs && ['message.output_text.logprobs'];
}

function formatOf(format: Ask['format']): Json {
  if (format === undefined) return undefined;
  if (format === 'json') return { format: { type: 'json_object' } };
  return { format: { type: 'json_schema', name: 'person', schema: format.schema, strict: true } };
}

function itemsOf(turn: Turn): Json[] {
  if ('answer' in turn) return turn.answer as Json[];
  if ('said' in turn) return [{ role: 'assistant', content: turn.said }];
  if ('user' in turn) return [{ role: 'user', content: turn.user.map(partOf) }];
  return turn.results.map(({ call, output }) => ({ type: 'function_call_output', call_id: call.id, output }));
}

function partOf(part: Part): Json {
  switch (part.kind) {
    case 'image':
      return { type: 'input_image', image_url: `data:image/png;base64,${part.data}`, detail: 'auto' };
    case 'image-url':
      return { type: 'input_image', image_url: part.url, detail: 'auto' };
    case 'pdf':
      return { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${part.data}` };
    case 'wav':
      return { type: 'input_audio', input_audio: { format: 'wav', data: part.data } };
    default:
      return { type: 'input_text', text: part.text };
  }
}

function finishOf({ status, incomplete_details }: Json, calls: number): Finish | undefined {
  if (status === 'completed') return calls > 0 ? 'calls' : 'stop';
  return ({ max_output_tokens: 'length', content_filter: 'filtered' } as const)[incomplete_details?.reason as 'content_filter'];
}

function answerOf(response: Json): Answer {
  const { output, usage } = response;
  const of = (type: string): Json[] => output.filter((item: Json) => item.type === type);
  const parts: Json[] = of('message').flatMap(({ content }) => content);
  const calls = of('function_call').map(item => ({
    id: item.call_id,
    name: item.name,
    arguments: JSON.parse(item.arguments),
  }));
  return {
    text: textOf(parts),
    thinking: textOf(of('reasoning').flatMap(({ summary, content }) => [...summary, ...(content ?? [])])),
    refusal: parts.map(({ refusal }) => refusal ?? '').join(''),
    calls,
    finish: finishOf(response, calls.length),
    usage: usage && {
      input: usage.input_tokens,
      cached: usage.input_tokens_details?.cached_tokens ?? 0,
      output: usage.output_tokens,
    },
    choices: 1,
    hasLogprobs: parts.some(({ logprobs }) => logprobs?.length > 0),
    citations: parts.flatMap(({ text, annotations = [] }) =>
      annotations.map(({ url, start_index, end_index }: Json) => ({
        source: url,
        words: pointsIn(text, start_index, end_index),
      })),
    ),
    turn: output,
  };
}

/** The last event has all of it; the pieces before are the same text. */
function readStream(bytes: Buffer): Answer {
  const events: Json[] = messagesIn(bytes.toString()).map(({ data }) => JSON.parse(data));
  const last = events.at(-1);
  assert.match(String(last?.type), /^response\.(?:completed|incomplete)$/, JSON.stringify(last));
  const answer = answerOf(last.response);
  const pieces = events.filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta);
  assert.equal(pieces.join(''), answer.text);
  const told = events
    .filter(({ type }) => type === 'response.output_text.annotation.added')
    .map(({ annotation }) => annotation.url);
  assert.deepEqual(
    told,
    answer.citations.map(({ source }) => source),
  );
  return answer;
}
