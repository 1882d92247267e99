// Converse, as AWS's clients write and read it: its streams are binary, and are read by AWS's own codec.
import assert from 'node:assert/strict';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { type Answer, type Ask, type Client, type Finish, type Json, type Part, type Turn, textOf } from '../ask.ts';

export const bedrockConverse: Client = {
  dialect: 'bedrock-converse',
  lacks: new Set([
    'choice-none',
    'count',
    'image-url',
    'json-object',
    'logprobs',
    'n',
    'parallel',
    'penalties',
    'prompts',
    'search',
    'seed',
    'user',
  ]),
  write: ask => ({
    path: `/model/${encodeURIComponent(ask.model)}/${ask.stream ? 'converse-stream' : 'converse'}`,
    body: bodyOf(ask),
  }),
  readWhole: ({ output, stopReason, usage }) => answerOf(output.message.content, stopReason, usage),
  readStream,
  readError,
};

function bodyOf(ask: Ask): Json {
  const { system, marked, tools, choice, format, topK } = ask;
  const more = { ...thinkingOf(ask), ...(topK && { top_k: topK }) };
  return {
    system: system && [{ text: system }, ...(marked ? [{ cachePoint: { type: 'default' } }] : [])],
    messages: ask.turns.map(messageOf),
    inferenceConfig: {
      maxTokens: ask.maxTokens ?? (ask.thinking ? 4000 : undefined),
      stopSequences: ask.stop,
      temperature: ask.temperature,
      topP: ask.topP,
    },
    toolConfig: tools && {
      tools: tools.map(({ name, parameters }) => ({
        toolSpec: { name, inputSchema: { json: parameters ?? { type: 'object' } } },
      })),
      toolChoice: typeof choice === 'object' ? { tool: { name: choice.tool } } : choice && { any: {} },
    },
    outputConfig:
      typeof format === 'object'
        ? {
            textFormat: {
              type: 'json_schema',
              structure: { jsonSchema: { name: 'person', schema: JSON.stringify(format.schema) } },
            },
          }
        : undefined,
    additionalModelRequestFields: Object.keys(more).length > 0 ? more : undefined,
  };
}

function thinkingOf({ thinking }: Ask): Json {
  if (thinking === 'nova') return { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'low' } };
  return thinking && { thinking: { type: 'enabled', budget_tokens: 2000 } };
}

function messageOf(turn: Turn): Json {
  if ('answer' in turn) return { role: 'assistant', content: turn.answer };
  if ('said' in turn) return { role: 'assistant', content: [{ text: turn.said }] };
  if ('user' in turn) return { role: 'user', content: turn.user.map(blockOf) };
  const content = turn.results.map(({ call, output, failed }) => ({
    toolResult: { toolUseId: call.id, content: [{ text: output }], status: failed && 'error' },
  }));
  return { role: 'user', content };
}

function blockOf(part: Part): Json {
  switch (part.kind) {
    case 'image':
      return { image: { format: 'png', source: { bytes: part.data } } };
    case 'pdf':
      return {
        document: {
          format: 'pdf',
          name: 'a',
          source: { bytes: part.data },
          ...(part.citations && { citations: { enabled: true } }),
        },
      };
    case 'plain':
      return { document: { format: 'txt', name: 'b', source: { bytes: Buffer.from(part.text).toString('base64') } } };
    case 'wav':
      return { audio: { format: 'wav', source: { bytes: part.data } } };
    case 'image-url':
      return assert.fail('this dialect fetches nothing');
    case 'text':
      return { text: part.text };
  }
}

const finishes: Readonly<Record<string, Finish>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'calls',
  content_filtered: 'filtered',
  guardrail_intervened: 'filtered',
};

function answerOf(content: Json[], stopReason: string, usage: Json): Answer {
  const cached = usage?.cacheReadInputTokens ?? 0;
  return {
    text: textOf(content.flatMap(block => block.citationsContent?.content ?? [block])),
    thinking: content.map(({ reasoningContent }) => reasoningContent?.reasoningText?.text ?? '').join(''),
    refusal: '',
    calls: content.flatMap(({ toolUse }) =>
      toolUse ? [{ id: toolUse.toolUseId, name: toolUse.name, arguments: toolUse.input }] : [],
    ),
    finish: finishes[stopReason],
    usage: usage && {
      input: usage.inputTokens + cached + (usage.cacheWriteInputTokens ?? 0),
      cached,
      output: usage.outputTokens,
    },
    choices: 1,
    hasLogprobs: false,
    citations: content.flatMap(({ citationsContent: cited }) =>
      (cited?.citations ?? []).map(({ location: { web, documentPage } }: Json) => ({
        source: web?.url ?? `document ${documentPage.documentIndex}, page ${documentPage.start}`,
        words: textOf(cited.content),
      })),
    ),
    turn: content,
  };
}

const codec = new EventStreamCodec(
  bytes => Buffer.from(bytes).toString(),
  text => Buffer.from(text),
);

function* eventsIn(bytes: Buffer): Generator<{ type: string; body: Json }> {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const { headers, body } = codec.decode(bytes.subarray(at, at + length));
    const text = Buffer.from(body).toString();
    assert.equal(headers[':message-type']?.value, 'event', text);
    yield { type: String(headers[':event-type']?.value), body: JSON.parse(text) };
    at += length;
  }
}

function readStream(bytes: Buffer): Answer {
  const content: Json[] = [];
  let stopReason = '';
  let usage: Json;
  for (const { type, body } of eventsIn(bytes)) {
    const index = body.contentBlockIndex;
    if (type === 'contentBlockStart') content[index] = { toolUse: { ...body.start.toolUse, input: '' } };
    if (type === 'contentBlockDelta') {
      content[index] ??= {};
      addDelta(content[index], body.delta);
    }
    if (type === 'messageStop') stopReason = body.stopReason;
    if (type === 'metadata') usage = body.usage;
  }
  assert.notEqual(stopReason, '');
  for (const { toolUse } of content) if (toolUse) toolUse.input = JSON.parse(toolUse.input || '{}');
  return answerOf(content.map(inBlocks), stopReason, usage);
}

/** What a stream brings beside each other, a whole answer has in a block of its own kind. */
const inBlocks = ({ citations, text, ...block }: Json): Json =>
  citations ? { citationsContent: { content: [{ text }], citations } } : text === undefined ? block : { text };

function addDelta(block: Json, { text, toolUse, reasoningContent, citation }: Json): void {
  if (citation) block.citations = [...(block.citations ?? []), citation];
  if (text !== undefined) block.text = (block.text ?? '') + text;
  if (toolUse) block.toolUse.input += toolUse.input;
  if (!reasoningContent) return;
  block.reasoningContent ??= { reasoningText: { text: '' } };
  const { reasoningText } = block.reasoningContent;
  if (reasoningContent.redactedContent) block.reasoningContent = { redactedContent: reasoningContent.redactedContent };
  if (reasoningContent.text) reasoningText.text += reasoningContent.text;
  if (reasoningContent.signature) reasoningText.signature = reasoningContent.signature;
}

function readError({ __type, message, error_code, param }: Json) {
  assert.match(String(__type), /Exception$/);
  assert.ok(message);
  return { code: error_code, param };
}
