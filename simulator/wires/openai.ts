// The OpenAI wire: chat completions, streamed and whole. Azure and vLLM speak variants of it and start from these functions.
import {
  type Answer,
  type Ask,
  type Attachment,
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
import { attachmentTokens, countTokens, type PromptPart, promptTotal, promptUsage } from '../tokens.ts';
import { invalid, openaiError, openaiTrouble } from './openai-errors.ts';
import { openaiInvalid } from './openai-validate.ts';
import { bearer, decodedBytes, type Frame, grouped, type Reply, type Wire } from './wire.ts';

export const openai: Wire = {
  name: 'openai',
  credential: bearer,
  needsCredential: true,
  missingCredential:
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
  answersFiltered: false,
  read: body => {
    const refusal = openaiInvalid(body);
    return refusal ? { ok: false, refusal } : { ok: true, ask: openaiAsk(body as Json) };
  },
  badJson: () =>
    invalid(
      "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
    ),
  trouble: openaiTrouble,
  refuse: (status, message) => openaiError(status, message, status === 401 ? { code: 'invalid_api_key' } : {}),
  whole: reply => openaiWhole(reply, openaiStyle),
  frames: reply => openaiFrames(reply, openaiStyle),
  errorFrame: () => openaiErrorFrame,
  ping: ': keep-alive\n\n',
  headers: digest => ({
    'x-request-id': `req_${digest.slice(0, 32)}`,
    'openai-version': '2020-10-01',
    'openai-organization': 'org-simulated',
    'openai-processing-ms': '12',
    'x-ratelimit-limit-requests': '500',
    'x-ratelimit-remaining-requests': '499',
    'x-ratelimit-reset-requests': '120ms',
  }),
  models: created => ({
    object: 'list',
    data: ['gpt-5-mini', 'gpt-4o', 'gpt-4o-mini'].map(id => ({ id, object: 'model', created, owned_by: 'openai' })),
  }),
};

/** Where OpenAI, Azure and vLLM differ in an otherwise equal answer. */
export type Style = {
  readonly fingerprint: string | null;
  readonly callId: (call: Call) => string;
  /** Where the thinking is shown, if anywhere: OpenAI's chat wire counts it but keeps it. */
  readonly reasoning?: (text: string, reply: Reply) => Record<string, unknown>;
  readonly message: Record<string, unknown>;
  /** A server of one's own searches nothing. */
  readonly cites: boolean;
  readonly choice: (answer: Answer) => Record<string, unknown>;
  readonly envelope: (reply: Reply) => Record<string, unknown>;
  readonly frameChoice: (kind: Frame['kind'], answer: Answer) => Record<string, unknown>;
  readonly frameEnvelope: (kind: Frame['kind'], reply: Reply) => Record<string, unknown>;
  readonly startDelta: Record<string, unknown>;
  /** The finish reason comes with the last content instead of in a frame of its own. */
  readonly finishesWithContent: boolean;
  readonly usage: (reply: Reply) => Record<string, unknown>;
};

/** A tier that was not asked for is told all the same. */
function tierOf({ ask }: Reply): Record<string, unknown> {
  return { service_tier: ask.level ?? 'default' };
}

export const openaiStyle: Style = {
  fingerprint: 'fp_simulated',
  callId: call => `call_${call.id}`,
  message: { refusal: null, annotations: [] },
  cites: true,
  choice: () => ({}),
  envelope: tierOf,
  frameChoice: () => ({}),
  frameEnvelope: (kind, reply) => ({
    ...tierOf(reply),
    system_fingerprint: 'fp_simulated',
    ...(asksUsage(reply.ask) && kind !== 'usage' && { usage: null }),
  }),
  startDelta: { role: 'assistant', content: '', refusal: null },
  finishesWithContent: false,
  usage: openaiUsage,
};

const finishReasons: Record<Answer['finish'], string> = {
  stop: 'stop',
  length: 'length',
  calls: 'tool_calls',
  filtered: 'content_filter',
};

export function openaiWhole(reply: Reply, style: Style): Record<string, unknown> {
  return {
    id: replyId(reply.ask),
    object: 'chat.completion',
    created: reply.created,
    model: reply.ask.model,
    choices: reply.answers.map((answer, index) => ({
      index,
      message: {
        role: 'assistant',
        content: answer.refuses || (answer.text.length === 0 && answer.calls.length > 0) ? null : answer.text.join(''),
        ...style.message,
        ...(style.cites && answer.cited && { annotations: annotationsOf(reply.ask, answer) }),
        ...(answer.refuses && { refusal: answer.text.join('') }),
        ...(answer.thinking.length > 0 && style.reasoning?.(answer.thinking.join(''), reply)),
        ...(answer.calls.length > 0 && { tool_calls: answer.calls.map(call => wholeCall(call, style)) }),
      },
      logprobs: logprobsOf(reply.ask, answer.text),
      finish_reason: finishReasons[answer.finish],
      ...style.choice(answer),
    })),
    ...(reply.usage !== 'missing' && { usage: style.usage(reply) }),
    system_fingerprint: style.fingerprint,
    ...style.envelope(reply),
  };
}

function annotationsOf(ask: Ask, answer: Answer): unknown[] {
  const { start, end } = citedSpan(answer, codePoints)!;
  return [{ type: 'url_citation', url_citation: { ...citedPage(ask), start_index: start, end_index: end } }];
}

const wholeCall = (call: Call, style: Style): unknown => ({
  id: style.callId(call),
  type: 'function',
  function: { name: call.name, arguments: call.arguments.join('') },
});

export function* openaiFrames(reply: Reply, style: Style): Iterable<Frame> {
  const envelope = {
    id: replyId(reply.ask),
    object: 'chat.completion.chunk',
    created: reply.created,
    model: reply.ask.model,
  };
  const frame = (
    kind: Frame['kind'],
    index: number,
    delta: Record<string, unknown>,
    tokens = 0,
    rest: Record<string, unknown> = {},
  ): Frame => ({
    kind,
    tokens,
    data: JSON.stringify({
      ...envelope,
      ...style.frameEnvelope(kind, reply),
      choices: [
        { index, delta, logprobs: null, finish_reason: null, ...rest, ...style.frameChoice(kind, reply.answers[index]!) },
      ],
    }),
  });
  for (const [index, answer] of reply.answers.entries()) {
    yield frame('bare', index, style.startDelta, style.reasoning ? 0 : answer.thinking.length);
    const ending = { finish_reason: finishReasons[answer.finish], ...style.choice(answer) };
    const parts = [...contentParts(reply, answer, style)];
    const last = style.finishesWithContent ? parts.pop() : undefined;
    for (const { delta, tokens, logprobs = null } of parts) yield frame('content', index, delta, tokens, { logprobs });
    if (style.cites && answer.cited) yield frame('bare', index, { annotations: annotationsOf(reply.ask, answer) });
    if (last) yield frame('content', index, last.delta, last.tokens, { logprobs: last.logprobs ?? null, ...ending });
    else yield frame('finish', index, {}, 0, ending);
  }
  if (asksUsage(reply.ask) && reply.usage !== 'missing')
    yield {
      kind: 'usage',
      tokens: 0,
      data: JSON.stringify({ ...envelope, ...style.frameEnvelope('usage', reply), choices: [], usage: style.usage(reply) }),
    };
  yield { kind: 'end', tokens: 0, data: '[DONE]' };
}

type ContentPart = { readonly delta: Record<string, unknown>; readonly tokens: number; readonly logprobs?: unknown };

function* contentParts(reply: Reply, answer: Answer, style: Style): Iterable<ContentPart> {
  const { ask, tokensPerFrame } = reply;
  for (const { text, tokens } of grouped(answer.thinking, tokensPerFrame))
    if (style.reasoning) yield { delta: style.reasoning(text, reply), tokens };
  for (const { text, tokens, from } of grouped(answer.text, tokensPerFrame))
    yield {
      delta: { [answer.refuses ? 'refusal' : 'content']: text },
      tokens,
      logprobs: logprobsOf(ask, answer.text.slice(from, from + tokens)),
    };
  for (const [index, call] of answer.calls.entries()) {
    const opening = { index, id: style.callId(call), type: 'function', function: { name: call.name, arguments: '' } };
    yield { delta: { tool_calls: [opening] }, tokens: countTokens(call.name) };
    for (const { text, tokens } of grouped(call.arguments, tokensPerFrame))
      yield { delta: { tool_calls: [{ index, function: { arguments: text } }] }, tokens };
  }
}

export function openaiUsage(reply: Reply): Record<string, unknown> {
  const times = reply.usage === 'doubled' ? 2 : 1;
  const prompt = promptTotal(reply.ask.usage) * times;
  const completion = reply.answers.reduce((total, answer) => total + generatedTokens(answer), 0) * times;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: reply.ask.usage.cacheRead * times, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reply.answers.reduce((total, answer) => total + answer.thinking.length, 0) * times,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

// What OpenAI sends when the generation breaks after the 200 went out (openai-node reads `error` in any frame).
const openaiErrorFrame: Frame = {
  kind: 'content',
  tokens: 0,
  data: JSON.stringify({
    error: {
      message: 'The server had an error while processing your request. Sorry about that!',
      type: 'server_error',
      param: null,
      code: 'server_error',
    },
  }),
};

export function openaiAsk(body: Json): OpenAiAsk {
  const messages = body.messages as Json[];
  const lastUser = messages.findLast(message => message.role === 'user');
  const parts = Array.isArray(lastUser?.content) ? (lastUser.content as Json[]) : [];
  const effort = body.reasoning_effort;
  return {
    model: body.model,
    stream: body.stream === true,
    prompt: textIn(lastUser?.content),
    attachments: parts.flatMap(attachmentOf),
    results: resultsIn(messages),
    tools: (body.tools ?? []).flatMap(offered),
    toolChoice: chosen(body.tool_choice),
    parallel: body.parallel_tool_calls !== false,
    format: formatOf(body.response_format),
    thinks: effort != null && effort !== 'none',
    ...servedLevel(textIn(lastUser?.content), body.service_tier === 'fast' ? 'priority' : body.service_tier),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []).filter(Boolean),
    ...maxTokens(body),
    choices: body.n ?? 1,
    usage: promptUsage(
      promptParts(body),
      messages.some(message => message.role === 'assistant'),
    ),
    digest: requestDigest(body),
    includeUsage: body.stream_options?.include_usage === true,
    logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
  };
}

/** What only the OpenAI family's encoders ask for. */
export type OpenAiAsk = Ask & { readonly includeUsage: boolean; readonly logprobs: number | undefined };

const asksUsage = (ask: Ask): boolean => (ask as OpenAiAsk).includeUsage;

const maxTokens = (body: Json): { maxTokens?: number } => {
  const limit = body.max_completion_tokens ?? body.max_tokens;
  return limit == null ? {} : { maxTokens: limit };
};

const replyId = (ask: Ask): string => `chatcmpl-${ask.digest.slice(0, 29)}`;

function textIn(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map(part => (part.type === 'text' ? part.text : '')).join('');
}

function attachmentOf(part: Json): Attachment[] {
  if (part.type === 'image_url') return [fromUrl('image', part.image_url.url)];
  if (part.type === 'input_audio')
    return [{ kind: 'audio', type: `audio/${part.input_audio.format}`, bytes: decodedBytes(part.input_audio.data) }];
  if (part.type === 'file') return [fromUrl('document', part.file.file_data ?? part.file.file_id ?? '')];
  return [];
}

function fromUrl(kind: Attachment['kind'], url: string): Attachment {
  const data = /^data:([^;,]*);base64,/.exec(url.slice(0, 200));
  return data ? { kind, type: data[1]!, bytes: decodedBytes(url.slice(data[0].length)) } : { kind, type: 'url' };
}

function resultsIn(messages: readonly Json[]): ToolResult[] {
  const after = messages.findLastIndex(message => message.role === 'assistant');
  const calls = (messages[after]?.tool_calls ?? []) as Json[];
  return messages
    .slice(after + 1)
    .filter(message => message.role === 'tool')
    .map(message => ({
      tool: calls.find(call => call.id === message.tool_call_id)?.function?.name ?? 'unknown',
      text: textIn(message.content),
    }));
}

const offered = (tool: Json): OfferedTool[] =>
  tool.type === 'function' ? [{ name: tool.function.name, schema: tool.function.parameters ?? { type: 'object' } }] : [];

function chosen(choice: Json | string | undefined): Ask['toolChoice'] {
  if (typeof choice === 'string') return choice as 'auto';
  return choice?.type === 'function' ? { name: choice.function.name } : 'auto';
}

function formatOf(format: Json | undefined): Ask['format'] {
  if (format?.type === 'json_object') return 'json';
  return format?.type === 'json_schema' ? { schema: format.json_schema.schema ?? true } : 'text';
}

/** Four tokens a message besides its texts. A cache is used where the client names one: `prompt_cache_key` or a breakpoint. */
function promptParts(body: Json): PromptPart[] {
  const messages = body.messages as Json[];
  const lastUser = messages.findLastIndex(message => message.role === 'user');
  const parts = messages.map((message, index): PromptPart => {
    const marked = body.prompt_cache_key != null ? index === lastUser - 1 : hasBreakpoint(message.content);
    return { tokens: 4 + contentTokens(message.content) + callTokens(message), ...(marked && { mark: '5m' }) };
  });
  return body.tools?.length ? [{ tokens: countTokens(JSON.stringify(body.tools)) }, ...parts] : parts;
}

const hasBreakpoint = (content: unknown): boolean => Array.isArray(content) && content.some(part => part.prompt_cache_breakpoint);

function contentTokens(content: unknown): number {
  if (!Array.isArray(content)) return countTokens(textIn(content));
  return content.reduce((total, part) => total + (part.type === 'text' ? countTokens(part.text) : attachmentTokens), 0);
}

const callTokens = (message: Json): number => (message.tool_calls ? countTokens(JSON.stringify(message.tool_calls)) : 0);

function logprobsOf(ask: Ask, tokens: readonly string[]): unknown {
  const top = (ask as OpenAiAsk).logprobs;
  return top === undefined ? null : { content: tokenLogprobs(tokens, top), refusal: null };
}
