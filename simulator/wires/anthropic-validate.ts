// What Anthropic's messages endpoint accepts, by API version: the tables are its request types (npm `@anthropic-ai/sdk` 1), the rules
// below them are those it states in its error messages. Everything else is 400.
import { createHmac } from 'node:crypto';
import {
  anything,
  flag,
  integer,
  isRecord,
  type Json,
  list,
  mapOf,
  nullable,
  number,
  object,
  oneOf,
  type Shape,
  tagged,
  text,
  textOr,
} from '../shape.ts';
import { anthropicProblem, invalid } from './anthropic-errors.ts';
import type { Refusal } from './wire.ts';

export type Endpoint = 'messages' | 'count_tokens';

/** Dated versions: the later one dropped sampling parameters and a few blocks. */
export const versions = ['2023-06-01', '2026-10-21'] as const;
export type Version = (typeof versions)[number];

export function anthropicInvalid(body: unknown, version: Version, endpoint: Endpoint): Refusal | undefined {
  const problem = requests[endpoint][version](body);
  if (problem) return anthropicProblem(problem);
  const checked = body as Json;
  return rules.reduce<Refusal | undefined>((found, rule) => found ?? rule(checked, version), undefined);
}

const anyObject = mapOf(anything, 10_000);
const cacheControl = { cache_control: nullable(object({ type: oneOf('ephemeral') }, { ttl: oneOf('5m', '1h') })) };
const toolUseId = text({ pattern: /^[a-zA-Z0-9_-]+$/ });
const toolName = text({ pattern: /^[a-zA-Z0-9_-]{1,128}$/ });

const count = integer(0);
const ofDocument = { type: anything, cited_text: text(), document_index: count, document_title: nullable(text()) };
/** Answers have `file_id`, and come back with it. */
const asAnswered = { file_id: nullable(text()) };
const citation = tagged('type', {
  char_location: object({ ...ofDocument, start_char_index: count, end_char_index: count }, asAnswered),
  page_location: object({ ...ofDocument, start_page_number: integer(1), end_page_number: integer(1) }, asAnswered),
  content_block_location: object({ ...ofDocument, start_block_index: count, end_block_index: count }, asAnswered),
  search_result_location: object({
    type: anything,
    cited_text: text(),
    source: text(),
    title: nullable(text()),
    search_result_index: count,
    start_block_index: count,
    end_block_index: count,
  }),
  web_search_result_location: object({
    type: anything,
    cited_text: text(),
    url: text(),
    title: nullable(text()),
    encrypted_index: text({ pattern: /^[A-Za-z0-9+/]+=*$/ }),
  }),
});
const textBlock = object({ type: anything, text: text() }, { ...cacheControl, citations: nullable(list(citation)) });
const fileSource = object({ type: anything, file_id: text() });
const urlSource = object({ type: anything, url: text() });
const imageTypes = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

const imageBlock = object(
  {
    type: anything,
    source: tagged('type', {
      base64: object({ type: anything, media_type: oneOf(...imageTypes), data: text({ min: 1 }) }),
      url: urlSource,
      file: fileSource,
    }),
  },
  { ...cacheControl, transformations: nullable(anyObject) },
);
const documentBlock = object(
  {
    type: anything,
    source: tagged('type', {
      base64: object({ type: anything, media_type: oneOf('application/pdf'), data: text({ min: 1 }) }),
      text: object({ type: anything, media_type: oneOf('text/plain'), data: text({ min: 1 }) }),
      content: object({ type: anything, content: textOr(list(anyObject)) }),
      url: urlSource,
      file: fileSource,
    }),
  },
  { ...cacheControl, citations: nullable(object({}, { enabled: flag })), context: nullable(text()), title: nullable(text()) },
);
const searchResult = object(
  { type: anything, content: list(tagged('type', { text: textBlock })), source: text(), title: text() },
  { ...cacheControl, citations: object({}, { enabled: flag }) },
);

/** What Anthropic's own tools produce is sent back as it came; the simulator runs none of them and looks at none of it. */
const opaque = object({ type: anything }, {}, true);
const opaqueBlocks = Object.fromEntries(
  [
    'server_tool_use',
    'web_search_tool_result',
    'web_fetch_tool_result',
    'code_execution_tool_result',
    'bash_code_execution_tool_result',
    'text_editor_code_execution_tool_result',
    'tool_search_tool_result',
    'advisor_tool_result',
    'mcp_tool_use',
    'mcp_tool_result',
    'container_upload',
    'tool_addition',
  ].map(type => [type, opaque]),
);
const resultBlocks = { text: textBlock, image: imageBlock, search_result: searchResult, document: documentBlock };
const block = tagged('type', {
  ...resultBlocks,
  ...opaqueBlocks,
  thinking: object({ type: anything, thinking: text(), signature: text() }),
  redacted_thinking: object({ type: anything, data: text() }),
  tool_use: object(
    { type: anything, id: toolUseId, name: toolName, input: anyObject },
    { ...cacheControl, caller: anyObject, toolset_name: nullable(text()) },
  ),
  tool_result: object(
    { type: anything, tool_use_id: toolUseId },
    {
      ...cacheControl,
      content: textOr(list(tagged('type', { ...resultBlocks, tool_reference: opaque, browser_state: opaque }))),
      is_error: flag,
      toolset_name: nullable(text()),
    },
  ),
});

const message = object({ role: oneOf('user', 'assistant', 'system'), content: textOr(list(block)) });

const customTool = object(
  { name: toolName, input_schema: object({ type: oneOf('object') }, {}, true) },
  {
    ...cacheControl,
    type: nullable(oneOf('custom')),
    description: text(),
    strict: flag,
    defer_loading: flag,
    eager_input_streaming: nullable(flag),
    input_examples: list(anyObject),
    allowed_callers: list(text()),
  },
);
/** Tools that Anthropic brings itself are named by a dated type; their options are not the simulator's business. */
const tool: Shape = value =>
  isRecord(value) && typeof value.type === 'string' && /_\d{8}$/.test(value.type)
    ? undefined
    : tagged(
        'type',
        { custom: customTool },
        'custom',
      )(isRecord(value) && value.type === null ? { ...value, type: 'custom' } : value);

const parallelism = { disable_parallel_tool_use: flag };

const common = {
  ...cacheControl,
  output_config: object(
    {},
    {
      effort: nullable(oneOf('low', 'medium', 'high', 'xhigh', 'max')),
      format: nullable(tagged('type', { json_schema: object({ type: anything, schema: anyObject }) })),
    },
  ),
  speed: nullable(oneOf('standard', 'fast')),
  system: textOr(list(tagged('type', { text: textBlock }))),
  thinking: tagged('type', {
    enabled: object({ type: anything, budget_tokens: integer(1024) }, { display: nullable(oneOf('summarized', 'omitted')) }),
    disabled: object({ type: anything }),
    between_tools: object({ type: anything }),
    adaptive: object({ type: anything }, { display: nullable(oneOf('summarized', 'omitted')) }),
  }),
  tool_choice: tagged('type', {
    auto: object({ type: anything }, parallelism),
    any: object({ type: anything }, parallelism),
    tool: object({ type: anything, name: text() }, parallelism),
    none: object({ type: anything }),
  }),
  tools: list(tool, { max: 1000 }),
  user_profile_id: text(),
  workspace_id: text(),
};
const generation = {
  container: nullable(anything),
  diagnostics: nullable(anyObject),
  inference_geo: nullable(text()),
  metadata: object({}, { user_id: nullable(text({ max: 512 })) }),
  service_tier: oneOf('auto', 'standard_only'),
  stop_sequences: list(text({ min: 1 }), { max: 8191 }),
  stream: flag,
};
const sampling = { temperature: number(0, 1), top_p: number(0, 1), top_k: integer(0) };

const required = { model: text({ min: 1 }), messages: list(message, { min: 1, max: 100_000 }) };
const generating = { ...required, max_tokens: integer(1) };
const counting = object(required, common);

const requests: Record<Endpoint, Record<Version, Shape>> = {
  messages: {
    '2023-06-01': object(generating, { ...common, ...generation, ...sampling }),
    '2026-10-21': object(generating, { ...common, ...generation }),
  },
  count_tokens: { '2023-06-01': counting, '2026-10-21': counting },
};

type Rule = (body: Json, version: Version) => Refusal | undefined;

const rules: readonly Rule[] = [
  body => emptyContent(body.messages),
  (body, version) => (version === '2026-10-21' ? removedBlocks(body.messages) : undefined),
  body => toolBlocksOutOfPlace(body.messages),
  body => foreignThinking(body.messages),
  body => thinkingConflicts(body),
  body => tooManyMarks(body),
  body => toolProblems(body),
  body => looseFormat(body),
  body => trailingSpace(body.messages),
];

function emptyContent(messages: readonly Json[]): Refusal | undefined {
  for (const [index, message] of messages.entries()) {
    const isPrefill = index === messages.length - 1 && message.role === 'assistant';
    if (message.content.length === 0 && !isPrefill)
      return invalid(
        `messages.${index}: all messages must have non-empty content except for the optional final assistant message`,
      );
    if (blocks(message).some(block => block.type === 'text' && block.text === ''))
      return invalid('messages: text content blocks must be non-empty');
    if (blocks(message).some(block => block.type === 'text' && block.text.trim() === ''))
      return invalid('messages: text content blocks must contain non-whitespace text');
  }
  return undefined;
}

/** Results of tools hold blocks. */
const withInner = (block: Json): Json[] => [
  block,
  ...(block.type === 'tool_result' && Array.isArray(block.content) ? block.content : []),
];

function removedBlocks(messages: readonly Json[]): Refusal | undefined {
  const documents = messages
    .flatMap(blocks)
    .flatMap(withInner)
    .filter(({ type }) => type === 'document').length;
  for (const [index, message] of messages.entries())
    for (const [at, block] of blocks(message).entries()) {
      const path = `messages.${index}.content.${at}`;
      if (message.role === 'assistant' && block.type === 'document')
        return invalid(`${path}: \`document\` blocks are not permitted in \`assistant\` messages`);
      if (message.role === 'user' && block.type === 'text' && block.citations?.length)
        return invalid(`${path}.text.citations: Citations are not permitted in \`user\` messages`);
      const cited = (block.citations ?? []) as Json[];
      if (block.type === 'text' && cited.some(({ document_index }) => document_index >= documents))
        return invalid(`${path}.text.citations: document_index is out of range`);
    }
  return undefined;
}

/** A call is answered in the very next message, and results answer calls of the message before. */
function toolBlocksOutOfPlace(messages: readonly Json[]): Refusal | undefined {
  let open = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const results = blocks(message).filter(block => block.type === 'tool_result');
    for (const [at, block] of blocks(message).entries()) {
      if (block.type === 'tool_result' && (message.role !== 'user' || !open.has(block.tool_use_id)))
        return invalid(
          `messages.${index}.content.${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
        );
      if (block.type === 'tool_use' && message.role !== 'assistant')
        return invalid(`messages.${index}: \`tool_use\` blocks can only be in \`assistant\` messages`);
    }
    const answered = new Set(results.map(block => block.tool_use_id));
    if (answered.size < results.length)
      return invalid(
        `messages.${index}.content: each tool_use must have a single result. Found multiple \`tool_result\` blocks with the same id`,
      );
    // Results come before anything else in their message (tool use guide, "handling tool results").
    const areFirst = blocks(message)
      .slice(0, results.length)
      .every(block => block.type === 'tool_result');
    if (!areFirst) return unansweredCalls(index - 1, [...open]);
    const unanswered = [...open].filter(id => !answered.has(id));
    if (unanswered.length > 0) return unansweredCalls(index - 1, unanswered);
    const ids = blocks(message)
      .filter(block => block.type === 'tool_use')
      .map(block => block.id);
    open = new Set(ids);
    if (open.size < ids.length) return invalid(`messages: \`tool_use\` ids must be unique`);
  }
  return open.size > 0 ? unansweredCalls(messages.length - 1, [...open]) : undefined;
}

const unansweredCalls = (index: number, ids: readonly string[]): Refusal =>
  invalid(
    `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );

/** What the simulator signs its thinking with; like the real thing's, it is opaque and bound to the text. */
export const signatureOf = (thinking: string): string =>
  createHmac('sha256', 'tollgate-simulator').update(thinking).digest('base64');
const redactedPrefix = 'simulated-';

function foreignThinking(messages: readonly Json[]): Refusal | undefined {
  for (const [index, message] of messages.entries())
    for (const [at, block] of blocks(message).entries()) {
      const path = `messages.${index}.content.${at}`;
      if (block.type === 'thinking' && block.signature !== signatureOf(block.thinking))
        return invalid(`${path}: Invalid \`signature\` in \`thinking\` block`);
      if (block.type === 'redacted_thinking' && !block.data.startsWith(redactedPrefix))
        return invalid(`${path}: Invalid \`data\` in \`redacted_thinking\` block`);
    }
  return undefined;
}

function thinkingConflicts(body: Json): Refusal | undefined {
  if (body.thinking?.type !== 'enabled') return undefined;
  if (body.max_tokens <= body.thinking.budget_tokens)
    return invalid(
      '`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size',
    );
  if (body.temperature !== undefined && body.temperature !== 1)
    return invalid(
      '`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking',
    );
  return ['any', 'tool'].includes(body.tool_choice?.type)
    ? invalid('Thinking may not be enabled when tool_choice forces tool use.')
    : undefined;
}

function tooManyMarks(body: Json): Refusal | undefined {
  const system = Array.isArray(body.system) ? body.system : [];
  const all = [...(body.tools ?? []), ...system, ...body.messages.flatMap(blocks)] as Json[];
  const found = all.filter(block => block.cache_control).length;
  if (found > 4) return invalid(`A maximum of 4 blocks with cache_control may be provided. Found ${found}.`);
  return undefined;
}

function toolProblems(body: Json): Refusal | undefined {
  const names = (body.tools ?? []).map((tool: Json) => tool.name);
  if (new Set(names).size < names.length) return invalid('tools: Tool names must be unique.');
  if (body.tool_choice && names.length === 0)
    return invalid('tool_choice: `tool_choice` may only be specified while providing `tools`.');
  const wanted = body.tool_choice?.name;
  if (wanted !== undefined && !names.includes(wanted))
    return invalid(`tool_choice: Tool '${wanted}' not found in provided tools`);
  return undefined;
}

/** Structured outputs close every object. */
function looseFormat(body: Json): Refusal | undefined {
  const isLoose = (schema: unknown, depth = 0): boolean =>
    isRecord(schema) &&
    depth < 32 &&
    ((schema.type === 'object' && schema.additionalProperties !== false) ||
      Object.values(isRecord(schema.properties) ? schema.properties : {}).some(property => isLoose(property, depth + 1)) ||
      isLoose(schema.items, depth + 1));
  return isLoose(body.output_config?.format?.schema)
    ? invalid("output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
    : undefined;
}

function trailingSpace(messages: readonly Json[]): Refusal | undefined {
  const last = messages.at(-1)!;
  const text = typeof last.content === 'string' ? last.content : (last.content.at(-1)?.text ?? '');
  return last.role === 'assistant' && /\s$/.test(text)
    ? invalid('messages: final assistant content cannot end with trailing whitespace')
    : undefined;
}

export const blocks = (message: Json): Json[] => (Array.isArray(message.content) ? message.content : []);
