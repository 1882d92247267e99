// OpenAI's Responses wire, streamed and whole: items, reasoning with a seal, all events in their order, and responses that are kept.

import {
  type Answer,
  type Ask,
  type Attachment,
  askedSearches,
  type Call,
  generatedTokens,
  type OfferedTool,
  requestDigest,
  servedLevel,
  type ToolResult,
} from '../answer.ts';
import { citedPage, citedSpan, codePoints } from '../citing.ts';
import { tokenLogprobs } from '../logprobs.ts';
import type { Json } from '../shape.ts';
import { attachmentTokens, countTokens, promptTotal, promptUsage } from '../tokens.ts';
import { openai } from './openai.ts';
import { invalid } from './openai-errors.ts';
import { responsesInvalid, SEAL } from './openai-responses-validate.ts';
import { decodedBytes, type Frame, grouped, type Kept, type Reply, type Wire } from './wire.ts';

/** What only this wire's encoders ask for. */
type ResponsesAsk = Ask & { readonly body: Json };

export const openaiResponses: Wire = {
  ...openai,
  read: (body, _headers, _deployment, kept) => {
    const earlier = earlierItems(body as Json, kept);
    if (!earlier) return { ok: false, refusal: notFound((body as Json).previous_response_id) };
    const calls = new Set(earlier.flatMap(item => (item.type === 'function_call' ? [String(item.call_id)] : [])));
    const refusal = responsesInvalid(body, calls);
    if (refusal) return { ok: false, refusal };
    const items = resolved([...earlier, ...itemsOf(body as Json)], kept);
    return 'missing' in items
      ? { ok: false, refusal: invalid(`Item with id '${items.missing}' not found.`, 'input') }
      : { ok: true, ask: askOf(body as Json, items.items) };
  },
  whole: reply => (bodyOf(reply).background ? { ...emptyOf(reply), status: 'queued', background: true } : wholeOf(reply)),
  frames: responsesFrames,
  errorFrame: () => ({
    kind: 'content',
    event: 'error',
    tokens: 0,
    data: JSON.stringify({
      type: 'error',
      sequence_number: 99,
      error: {
        type: 'server_error',
        code: 'server_error',
        message: 'The server had an error while processing your request.',
        param: null,
      },
    }),
  }),
  keeps: reply => {
    const body = bodyOf(reply);
    if (body.store === false) return undefined;
    const response: Json = { ...wholeOf(reply), background: body.background === true };
    const input = (reply.ask as ResponsesAsk & { items: readonly Json[] }).items;
    return { id: String(response.id), response, input, inBackground: body.background === true };
  },
};

const bodyOf = ({ ask }: Reply): Json => (ask as ResponsesAsk).body;

const notFound = (id: unknown) =>
  invalid(`Previous response with id '${id}' not found.`, 'previous_response_id', 'previous_response_not_found');

// ---------------------------------------------------------------- requests

const itemsOf = ({ input }: Json): readonly Json[] =>
  typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : Array.isArray(input) ? (input as Json[]) : [];

/** undefined: there is no such response. */
function earlierItems(body: Json, kept: Kept | undefined): readonly Json[] | undefined {
  const id = body?.previous_response_id;
  if (id === undefined || id === null) return [];
  const found = kept?.response(String(id));
  return found && [...found.input, ...(found.response.output as Json[])];
}

function resolved(items: readonly Json[], kept: Kept | undefined): { items: readonly Json[] } | { missing: string } {
  const whole: Json[] = [];
  for (const item of items) {
    const isReference = item.type === 'item_reference' || (item.type == null && item.role === undefined);
    const found = isReference ? kept?.item(String(item.id)) : item;
    if (!found) return { missing: String(item.id) };
    // Reasoning that was neither kept nor sealed is nowhere.
    if (item.type === 'reasoning' && item.id && !item.encrypted_content && !kept?.item(String(item.id)))
      return { missing: String(item.id) };
    whole.push(found);
  }
  return { items: whole };
}

function askOf(body: Json, items: readonly Json[]): ResponsesAsk & { items: readonly Json[] } {
  const lastUser = items.findLast(item => item.role === 'user');
  const parts = Array.isArray(lastUser?.content) ? (lastUser.content as Json[]) : [];
  const effort = body.reasoning?.effort;
  return {
    model: body.model,
    stream: body.stream === true,
    prompt: textIn(lastUser?.content),
    attachments: parts.flatMap(attachmentOf),
    results: resultsIn(items),
    tools: (body.tools ?? []).flatMap(offered),
    toolChoice: chosen(body.tool_choice),
    parallel: body.parallel_tool_calls !== false,
    format: formatOf(body.text?.format),
    thinks: effort != null && effort !== 'none',
    stop: [],
    ...(body.max_output_tokens != null && { maxTokens: body.max_output_tokens }),
    choices: 1,
    ...servedLevel(textIn(lastUser?.content), body.service_tier === 'fast' ? 'priority' : (body.service_tier ?? undefined)),
    searches: askedSearches(
      textIn(lastUser?.content),
      (body.tools ?? []).some(({ type }: Json) => type === 'web_search'),
      body.max_tool_calls ?? undefined,
    ),
    usage: promptUsage(
      [
        ...(body.instructions ? [{ tokens: 4 + countTokens(body.instructions) }] : []),
        ...(body.tools?.length ? [{ tokens: countTokens(JSON.stringify(body.tools)) }] : []),
        ...items.map(item => ({ tokens: 4 + tokensOf(item) })),
      ],
      items.some(item => item.role === 'assistant'),
    ),
    digest: requestDigest(body),
    body,
    items,
  };
}

function textIn(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.map(part => part.text ?? '').join('') : '';
}

function attachmentOf(part: Json): Attachment[] {
  if (part.type === 'input_image') return [fromUrl('image', part.image_url ?? part.file_id ?? '')];
  if (part.type === 'input_file') return [fromUrl('document', part.file_data ?? part.file_url ?? part.file_id ?? '')];
  return part.type === 'input_audio'
    ? [{ kind: 'audio', type: `audio/${part.input_audio.format}`, bytes: decodedBytes(part.input_audio.data) }]
    : [];
}

function fromUrl(kind: Attachment['kind'], url: string): Attachment {
  const data = /^data:([^;,]*);base64,/.exec(url.slice(0, 200));
  return data ? { kind, type: data[1]!, bytes: decodedBytes(url.slice(data[0].length)) } : { kind, type: 'url' };
}

/** Of the last run of results. */
function resultsIn(items: readonly Json[]): ToolResult[] {
  const after = items.findLastIndex(({ type, role }) => type !== 'function_call_output' && role !== 'user');
  return items.slice(after + 1).flatMap(item =>
    item.type === 'function_call_output'
      ? [
          {
            tool: String(items.find(({ type, call_id: id }) => type === 'function_call' && id === item.call_id)?.name),
            text: textIn(item.output),
          },
        ]
      : [],
  );
}

const offered = (tool: Json): OfferedTool[] =>
  tool.type === 'function' ? [{ name: tool.name, schema: tool.parameters ?? { type: 'object' } }] : [];

function chosen(choice: Json | string | undefined): Ask['toolChoice'] {
  if (typeof choice === 'string') return choice as 'auto';
  return choice?.type === 'function' ? { name: choice.name } : 'auto';
}

function formatOf(format: Json | undefined): Ask['format'] {
  if (format?.type === 'json_object') return 'json';
  return format?.type === 'json_schema' ? { schema: format.schema ?? true } : 'text';
}

function tokensOf(item: Json): number {
  if (!Array.isArray(item.content)) return countTokens(textIn(item.content) + (item.arguments ?? '') + textIn(item.output));
  return item.content.reduce(
    (total: number, part: Json) => total + (part.text === undefined ? attachmentTokens : countTokens(part.text)),
    0,
  );
}

// ---------------------------------------------------------------- responses

const idOf = (prefix: string, { ask }: Reply, n = 0): string => `${prefix}_${ask.digest.slice(0, 30)}${n}`;

function emptyOf(reply: Reply): Json {
  const body = bodyOf(reply);
  return {
    id: idOf('resp', reply),
    object: 'response',
    created_at: reply.created,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: reply.ask.model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
    service_tier: reply.ask.level ?? 'default',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: body.text ?? { format: { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? 1,
    truncation: 'disabled',
    usage: null,
    user: null,
  };
}

function wholeOf(reply: Reply): Json {
  const answer = reply.answers[0]!;
  return {
    ...emptyOf(reply),
    ...endOf(answer),
    output: itemsFor(reply, answer),
    ...(reply.usage !== 'missing' && { usage: usageOf(reply) }),
    tool_usage: { image_gen: noImages, web_search: { num_requests: searchesOf(reply).length } },
  };
}

const noImages = {
  input_tokens: 0,
  input_tokens_details: { image_tokens: 0, text_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { image_tokens: 0, text_tokens: 0 },
  total_tokens: 0,
};

const searchesOf = ({ ask }: Reply): readonly string[] => ask.searches ?? [];

/** After the last search the page that was found is opened, which costs nothing. */
function searchItems(reply: Reply): Json[] {
  const actions = searchesOf(reply).map((query): Json => ({ type: 'search', query, queries: [query] }));
  const all = actions.length > 0 ? [...actions, { type: 'open_page', url: 'https://example.com/tolls' }] : [];
  return all.map((action, n) => ({ id: idOf('ws', reply, n), type: 'web_search_call', status: 'completed', action }));
}

function endOf({ finish }: Answer): Json {
  if (finish === 'length') return { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } };
  return finish === 'filtered'
    ? { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }
    : { status: 'completed' };
}

const itemsFor = (reply: Reply, answer: Answer): Json[] => [
  ...(answer.thinking.length > 0 ? [reasoningOf(reply, answer, true)] : []),
  ...searchItems(reply),
  ...(answer.text.length > 0 ? [{ ...messageOf(reply), status: 'completed', content: [partOf(reply, answer)] }] : []),
  ...answer.calls.map((call, n) => ({ ...callOf(reply, call, n), status: 'completed', arguments: call.arguments.join('') })),
];

/** A summary is told to those who want one, and the seal to those who keep it themselves. */
function reasoningOf(reply: Reply, answer: Answer, isWhole: boolean): Json {
  const { reasoning, include } = bodyOf(reply);
  const summary = isWhole && reasoning?.summary ? [{ type: 'summary_text', text: answer.thinking.join('') }] : [];
  const sealed = isWhole &&
    include?.includes('reasoning.encrypted_content') && { encrypted_content: `${SEAL}${reply.ask.digest}` };
  return { id: idOf('rs', reply), type: 'reasoning', summary, ...sealed };
}

/** Of a text that is whole. */
function annotationsOf({ ask }: Reply, answer: Answer, tokens: readonly string[]): Json[] {
  const span = tokens === answer.text ? citedSpan(answer, codePoints) : undefined;
  return span ? [{ type: 'url_citation', ...citedPage(ask), start_index: span.start, end_index: span.end }] : [];
}

const messageOf = (reply: Reply): Json => ({
  id: idOf('msg', reply),
  type: 'message',
  status: 'in_progress',
  role: 'assistant',
  content: [],
});
const callOf = (reply: Reply, call: Call, n: number): Json => ({
  id: idOf('fc', reply, n),
  type: 'function_call',
  status: 'in_progress',
  call_id: `call_${call.id}`,
  name: call.name,
  arguments: '',
});
const partOf = (reply: Reply, answer: Answer, tokens = answer.text): Json =>
  answer.refuses
    ? { type: 'refusal', refusal: tokens.join('') }
    : {
        type: 'output_text',
        text: tokens.join(''),
        annotations: annotationsOf(reply, answer, tokens),
        logprobs: logprobsOf(reply, tokens),
      };

/** Where they were not asked for there are none. */
function logprobsOf(reply: Reply, tokens: readonly string[]): unknown[] {
  const { include, top_logprobs: top } = bodyOf(reply);
  return include?.includes('message.output_text.logprobs') ? tokenLogprobs(tokens, top ?? 0) : [];
}

function usageOf(reply: Reply): Json {
  const times = reply.usage === 'doubled' ? 2 : 1;
  const [input, answer] = [promptTotal(reply.ask.usage) * times, reply.answers[0]!];
  const output = generatedTokens(answer) * times;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: reply.ask.usage.cacheRead * times, cache_write_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: answer.thinking.length * times },
    total_tokens: input + output,
  };
}

// ---------------------------------------------------------------- streams

function* responsesFrames(reply: Reply): Iterable<Frame> {
  let sequence = 0;
  const frame = (kind: Frame['kind'], type: string, fields: Json, tokens = 0): Frame => ({
    kind,
    event: type,
    tokens,
    data: JSON.stringify({ type, ...fields, sequence_number: sequence++ }),
  });
  const answer = reply.answers[0]!;
  const whole = wholeOf(reply);
  yield frame('bare', 'response.created', { response: emptyOf(reply) });
  yield frame('bare', 'response.in_progress', { response: emptyOf(reply) });
  for (const [output_index, item] of (whole.output as Json[]).entries()) {
    const place = { output_index, item_id: item.id };
    switch (item.type) {
      case 'reasoning':
        yield frame('bare', 'response.output_item.added', { output_index, item: reasoningOf(reply, answer, false) });
        if (item.summary.length > 0) {
          const at = { ...place, summary_index: 0 };
          yield frame('bare', 'response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } });
          for (const { text: delta, tokens } of grouped(answer.thinking, reply.tokensPerFrame))
            yield frame('content', 'response.reasoning_summary_text.delta', { ...at, delta }, tokens);
          yield frame('bare', 'response.reasoning_summary_text.done', { ...at, text: answer.thinking.join('') });
          yield frame('bare', 'response.reasoning_summary_part.done', { ...at, part: item.summary[0] });
        }
        break;
      case 'message': {
        const at = { ...place, content_index: 0 };
        const [kind, done] = answer.refuses ? ['refusal', 'refusal'] : ['output_text', 'text'];
        yield frame('bare', 'response.output_item.added', { output_index, item: messageOf(reply) });
        yield frame('bare', 'response.content_part.added', { ...at, part: partOf(reply, answer, []) });
        for (const { text: delta, tokens, from } of grouped(answer.text, reply.tokensPerFrame))
          yield frame(
            'content',
            `response.${kind}.delta`,
            {
              ...at,
              delta,
              ...(kind === 'output_text' && { logprobs: logprobsOf(reply, answer.text.slice(from, from + tokens)) }),
            },
            tokens,
          );
        for (const [annotation_index, annotation] of annotationsOf(reply, answer, answer.text).entries())
          yield frame('bare', 'response.output_text.annotation.added', { ...at, annotation_index, annotation });
        yield frame('bare', `response.${kind}.done`, {
          ...at,
          [done!]: answer.text.join(''),
          ...(kind === 'output_text' && { logprobs: logprobsOf(reply, answer.text) }),
        });
        yield frame('bare', 'response.content_part.done', { ...at, part: partOf(reply, answer) });
        break;
      }
      case 'web_search_call': {
        yield frame('bare', 'response.output_item.added', { output_index, item: { ...item, status: 'in_progress' } });
        for (const step of ['in_progress', 'searching', 'completed'])
          yield frame('bare', `response.web_search_call.${step}`, place);
        break;
      }
      case 'function_call': {
        const call = answer.calls[Number(String(item.id).at(-1))]!;
        yield frame(
          'bare',
          'response.output_item.added',
          { output_index, item: { ...item, status: 'in_progress', arguments: '' } },
          countTokens(call.name),
        );
        for (const { text: delta, tokens } of grouped(call.arguments, reply.tokensPerFrame))
          yield frame('content', 'response.function_call_arguments.delta', { ...place, delta }, tokens);
        yield frame('bare', 'response.function_call_arguments.done', { ...place, name: item.name, arguments: item.arguments });
        break;
      }
    }
    yield frame('bare', 'response.output_item.done', { output_index, item });
  }
  yield frame('finish', `response.${whole.status}`, { response: whole });
}
