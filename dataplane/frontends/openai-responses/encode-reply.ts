// A neutral reply as a `response`. Fields as in `Response` of openai 7.57 for Node.
import { annotationsIn } from '#core/chat/citations/openai.ts';
import { portableToolId } from '#core/chat/foreign.ts';
import type { ChatReply, Finish, Logprobs } from '#core/chat/reply.ts';
import type { AssistantPart, ToolCallPart } from '#core/chat/request.ts';
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import type { EncodedReply, ReplyContext } from '../frontend.ts';
import { sealedOf, type Thought } from './sealed.ts';

export type Json = Readonly<Record<string, unknown>>;

export function encodeReply(reply: ChatReply, context: ReplyContext): EncodedReply {
  const kinds = new Set(reply.parts.map(part => part.kind));
  const response = {
    ...emptyResponse(reply.id, reply.model, context),
    ...endOf(reply.finish, kinds),
    output: itemsOf(reply, context),
    usage: reply.usage ? usageOf(reply.usage) : null,
  };
  return { body: JSON.stringify(response) };
}

/** A response before anything was said. What the client asked for is said again, as OpenAI does; nothing of it is stored. */
export function emptyResponse(id: string, model: string, { requestId, createdSeconds, body }: ReplyContext): Json {
  const asked = body?.whole() ?? {};
  return {
    id: responseId(id || requestId),
    object: 'response',
    created_at: createdSeconds,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: asked.instructions ?? null,
    max_output_tokens: asked.max_output_tokens ?? null,
    metadata: asked.metadata ?? {},
    model,
    output: [],
    parallel_tool_calls: asked.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: asked.reasoning ?? { effort: null, summary: null },
    store: false,
    temperature: asked.temperature ?? null,
    text: asked.text ?? { format: { type: 'text' } },
    tool_choice: asked.tool_choice ?? 'auto',
    tools: asked.tools ?? [],
    top_p: asked.top_p ?? null,
    truncation: 'disabled',
    usage: null,
    user: asked.user ?? null,
  };
}

const responseId = (id: string): string => (id.startsWith('resp_') ? id : `resp_${id.replace(/[^a-zA-Z0-9]/g, '')}`);

/** The gateway's own, which a provider of this dialect does not know: they are taken out of a history that goes to one. */
export const itemId = (prefix: 'msg' | 'rs' | 'fc', { requestId }: ReplyContext, index: number): string =>
  `${prefix}_tollgate_${requestId.replaceAll('-', '')}_${index}`;

type Kinds = ReadonlySet<AssistantPart['kind']>;

/** Status of the response, and of the item that was being written when it ended. */
export function endOf({ reason }: Finish, kinds: Kinds): Json & { readonly status: string } {
  switch (reason) {
    case 'length':
    case 'context-length':
      return { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } };
    case 'content-filter':
      return { status: 'incomplete', incomplete_details: { reason: 'content_filter' } };
    case 'refusal':
      // A model that declined without a word leaves the client nothing but this to see it by.
      return kinds.has('refusal')
        ? { status: 'completed' }
        : { status: 'incomplete', incomplete_details: { reason: 'content_filter' } };
    case 'stop':
    case 'stop-sequence':
    case 'tool-calls':
    case 'pause':
      return { status: 'completed' };
  }
}

/** Texts side by side are parts of one message; all else is an item of its own. */
function itemsOf({ parts, logprobs }: ChatReply, context: ReplyContext): Json[] {
  const items: Json[] = [];
  let content: Json[] = [];
  const close = () => {
    if (content.length > 0) items.push({ ...emptyMessage(itemId('msg', context, items.length)), status: 'completed', content });
    content = [];
  };
  for (const part of parts) {
    if (part.kind === 'text' || part.kind === 'refusal') {
      content.push(
        part.kind === 'text' ? outputText(part.text, logprobs, annotationsIn(part.text, part.citations)) : refusal(part.text),
      );
      continue;
    }
    close();
    items.push(part.kind === 'tool-call' ? callItem(part, context, items.length) : thoughtItem(part, context, items.length));
  }
  close();
  return items;
}

export const emptyMessage = (id: string): Json => ({
  id,
  type: 'message',
  status: 'in_progress',
  role: 'assistant',
  content: [],
});
export const outputText = (text: string, logprobs?: Logprobs, annotations: readonly Json[] = []): Json => ({
  type: 'output_text',
  text,
  annotations,
  logprobs: logprobs?.content ?? [],
});

export const refusal = (text: string): Json => ({ type: 'refusal', refusal: text });

/** OpenAI writes `{}` for a call without arguments, and clients parse what they get. */
export const NO_ARGUMENTS = '{}';

export const emptyCall = (id: string, { id: callId, name }: Pick<ToolCallPart, 'id' | 'name'>): Json => ({
  id,
  type: 'function_call',
  status: 'in_progress',
  call_id: portableToolId(callId),
  name,
  arguments: '',
});

const callItem = (part: ToolCallPart, context: ReplyContext, index: number): Json => ({
  ...emptyCall(itemId('fc', context, index), part),
  status: 'completed',
  arguments: part.arguments || NO_ARGUMENTS,
});

export const summaryText = (text: string): Json => ({ type: 'summary_text', text });

function thoughtItem(part: Thought, context: ReplyContext, index: number): Json {
  const { sealed, id = itemId('rs', context, index) } = sealedOf(part);
  const text = part.kind === 'thinking' ? part.text : '';
  return { id, type: 'reasoning', summary: text === '' ? [] : [summaryText(text)], encrypted_content: sealed };
}

export function usageOf(usage: Usage): Json {
  const input = promptTokens(usage);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheRead, cache_write_tokens: usage.cacheWrite5m + usage.cacheWrite1h },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + usage.output,
  };
}
