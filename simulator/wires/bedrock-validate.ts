// What Converse accepts, by model: the tables are its request types (npm `@aws-sdk/client-bedrock-runtime` 3.1163), the rules below them are those it
// states in its error messages. Everything else is 400; what the service passes over in silence is refused here too.
import {
  anything,
  flag,
  integer,
  isRecord,
  type Json,
  list,
  mapOf,
  number,
  object,
  oneOf,
  type Problem,
  type Shape,
  text,
} from '../shape.ts';
import { signatureOf } from './anthropic-validate.ts';
import { bedrockProblem, extraneous, invalid } from './bedrock-errors.ts';
import type { Refusal } from './wire.ts';

export type Family = 'claude' | 'nova' | 'openai' | 'mistral' | 'other';

export function familyOf(model: string): Family {
  if (model.includes('claude')) return 'claude';
  if (model.includes('nova')) return 'nova';
  if (model.includes('openai.')) return 'openai';
  return model.includes('mistral.') ? 'mistral' : 'other';
}

export function converseInvalid(body: unknown, model: string): Refusal | undefined {
  const problem = request(body);
  if (problem) return bedrockProblem(problem);
  const checked = body as Json;
  return rules.reduce<Refusal | undefined>((found, rule) => found ?? rule(checked, familyOf(model), model), undefined);
}

/** The token counter takes what a conversation has and nothing that shapes an answer. */
export function conversationInvalid(body: unknown, model: string): Refusal | undefined {
  const allowed = ['messages', 'system', 'toolConfig', 'additionalModelRequestFields'];
  const extra = isRecord(body) ? Object.keys(body).find(name => !allowed.includes(name)) : undefined;
  return extra === undefined ? converseInvalid(body, model) : extraneous(extra);
}

const base64 = text({ min: 1, pattern: /^[A-Za-z0-9+/]+={0,2}$/ });

/** An object with exactly one of these fields. */
function oneField(fields: Readonly<Record<string, Shape>>): Shape {
  const shape = object({}, fields);
  return value => {
    if (isRecord(value) && Object.keys(value).length !== 1) {
      const got = Object.keys(value).join(', ');
      return { kind: 'choice', path: [], allowed: Object.keys(fields), got } satisfies Problem;
    }
    return shape(value);
  };
}

const anyObject = mapOf(anything, 10_000);
const s3Location = object({ uri: text({ pattern: /^s3:\/\// }) }, { bucketOwner: text() });
const cachePoint = object({ type: oneOf('default') }, { ttl: oneOf('5m', '1h') });
const image = object({ format: oneOf('png', 'jpeg', 'gif', 'webp'), source: oneField({ bytes: base64, s3Location }) });
const document = object(
  {
    name: text({ min: 1, max: 200, pattern: /^[A-Za-z0-9()[\]-]+(?: [A-Za-z0-9()[\]-]+)*$/ }),
    source: oneField({ bytes: base64, s3Location, text: text({ min: 1 }), content: list(object({ text: text() })) }),
  },
  {
    format: oneOf('pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'html', 'txt', 'md'),
    context: text(),
    citations: object({ enabled: flag }),
  },
);
const audio = object({
  format: oneOf('mp3', 'opus', 'wav', 'aac', 'flac', 'mp4', 'ogg', 'mkv', 'mka', 'x-aac', 'm4a', 'mpeg', 'mpga', 'pcm', 'webm'),
  source: oneField({ bytes: base64, s3Location }),
});
const toolUseId = text({ min: 1, max: 64, pattern: /^[a-zA-Z0-9_-]+$/ });
const toolName = text({ min: 1, max: 64, pattern: /^[a-zA-Z0-9_-]+$/ });
const count = integer(0);
const ofDocument = object({ documentIndex: count, start: count, end: count });
const citation = object(
  {},
  {
    title: text(),
    source: text(),
    sourceContent: list(oneField({ text: text() })),
    location: oneField({
      web: object({}, { url: text(), domain: text() }),
      documentChar: ofDocument,
      documentPage: ofDocument,
      documentChunk: ofDocument,
      searchResultLocation: object({ searchResultIndex: count, start: count, end: count }),
    }),
  },
);
const guardContent = oneField({ text: anyObject, image: anyObject });

const block = oneField({
  text: text(),
  image,
  document,
  audio,
  video: anyObject,
  guardContent,
  cachePoint,
  toolUse: object({ toolUseId, name: toolName, input: anyObject }, { type: oneOf('server_tool_use') }),
  toolResult: object(
    {
      toolUseId,
      content: list(oneField({ text: text(), json: anything, image, document, video: anyObject, searchResult: anyObject })),
    },
    { status: oneOf('success', 'error'), type: text() },
  ),
  reasoningContent: oneField({
    reasoningText: object({ text: text() }, { signature: text() }),
    redactedContent: base64,
  }),
  citationsContent: object({ content: list(oneField({ text: text() })), citations: list(citation) }),
  searchResult: anyObject,
});

const request = object(
  { messages: list(object({ role: oneOf('user', 'assistant'), content: list(block, { min: 1 }) }), { min: 1 }) },
  {
    system: list(oneField({ text: text({ min: 1 }), guardContent, cachePoint })),
    inferenceConfig: object(
      {},
      {
        maxTokens: integer(1),
        temperature: number(0, 2),
        topP: number(0, 1),
        stopSequences: list(text({ min: 1 }), { max: 2500 }),
      },
    ),
    toolConfig: object(
      {
        tools: list(
          oneField({
            toolSpec: object(
              { name: toolName, inputSchema: object({ json: object({ type: oneOf('object') }, {}, true) }) },
              { description: text({ min: 1 }), strict: flag },
            ),
            systemTool: object({ name: text() }),
            cachePoint,
          }),
          { min: 1 },
        ),
      },
      { toolChoice: oneField({ auto: object({}), any: object({}), tool: object({ name: toolName }) }) },
    ),
    guardrailConfig: object(
      {},
      { guardrailIdentifier: text(), guardrailVersion: text(), trace: text(), streamProcessingMode: text() },
    ),
    additionalModelRequestFields: anyObject,
    additionalModelResponseFieldPaths: list(text({ pattern: /^\// }), { max: 10 }),
    promptVariables: anyObject,
    requestMetadata: mapOf(text({ max: 256, pattern: /^[a-zA-Z0-9\s:_@$#=/+,\-.]*$/ }), 16),
    performanceConfig: object({}, { latency: oneOf('standard', 'optimized') }),
    serviceTier: object({ type: oneOf('default', 'flex', 'priority', 'reserved') }),
    outputConfig: object(
      {},
      {
        textFormat: object({
          type: oneOf('json_schema'),
          structure: oneField({ jsonSchema: object({ schema: text({ min: 2 }) }, { name: text(), description: text() }) }),
        }),
        effort: text(),
      },
    ),
  },
);

type Rule = (body: Json, family: Family, model: string) => Refusal | undefined;

const rules: readonly Rule[] = [
  alternation,
  blankTexts,
  toolBlocks,
  documents,
  reasoning,
  cachePoints,
  forcedTools,
  inference,
  structuredOutput,
  additionalFields,
];

const contents = (body: Json): { readonly block: Json; readonly role: string; readonly path: string }[] =>
  body.messages.flatMap((message: Json, at: number) =>
    message.content.map((block: Json, index: number) => ({ block, role: message.role, path: `messages.${at}.content.${index}` })),
  );

function alternation({ messages }: Json, family: Family): Refusal | undefined {
  if (messages.some((message: Json, at: number) => at > 0 && message.role === messages[at - 1].role))
    return invalid(
      'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.',
    );
  if (family !== 'claude' && messages[0].role !== 'user')
    return invalid(
      'A conversation must start with a user message. Try again with a conversation that starts with a user message.',
    );
  return family !== 'claude' && messages.at(-1).role !== 'user'
    ? invalid('A conversation must end with a user message. Try again with a conversation that ends with a user message.')
    : undefined;
}

function blankTexts(body: Json): Refusal | undefined {
  const blank = contents(body).find(({ block }) => typeof block.text === 'string' && block.text.trim() === '');
  if (blank)
    return invalid(
      `The text field in the ContentBlock object at ${blank.path} is blank. Add text to the text field, and try again.`,
    );
  const system = (body.system ?? []).findIndex((block: Json) => typeof block.text === 'string' && block.text.trim() === '');
  return system < 0 ? undefined : invalid(`The text field in the SystemContentBlock object at system.${system} is blank.`);
}

/** A call is answered in the very next message, and results answer calls of the message before. */
function toolBlocks(body: Json, family: Family): Refusal | undefined {
  const all = contents(body);
  const hasTools = all.some(({ block }) => block.toolUse || block.toolResult);
  if (hasTools && !body.toolConfig)
    return invalid('The toolConfig field must be defined when using toolUse and toolResult content blocks.');
  for (const { block, role, path } of all) {
    if (block.toolUse && role !== 'assistant') return invalid(`${path}: toolUse blocks can only be in assistant messages.`);
    if (block.toolResult && role !== 'user') return invalid(`${path}: toolResult blocks can only be in user messages.`);
    const { toolResult } = block;
    if (toolResult?.status === 'error' && toolResult.content.length === 0)
      return invalid(`The content field at ${path}.toolResult cannot be empty when status value is error.`);
    if (toolResult?.status && family !== 'claude' && family !== 'nova')
      return invalid("This model doesn't support the status field. Remove status and try again.");
    const id = (block.toolUse ?? toolResult)?.toolUseId;
    if (id && family === 'mistral' && !/^[a-zA-Z0-9]{9}$/.test(id))
      return invalid(
        `The model returned the following errors: Tool call id was ${id} but must be a-z, A-Z, 0-9, with a length of 9.`,
      );
  }
  for (const [at, message] of body.messages.entries()) {
    const calls = (body.messages[at - 1]?.content ?? []).flatMap((block: Json) => block.toolUse?.toolUseId ?? []);
    const results = message.content.flatMap((block: Json) => block.toolResult?.toolUseId ?? []);
    if (results.some((id: string) => !calls.includes(id)))
      return invalid(
        `The number of toolResult blocks at messages.${at}.content exceeds the number of toolUse blocks of previous turn.`,
      );
    const missing = calls.filter((id: string) => !results.includes(id));
    if (missing.length > 0)
      return invalid(`Expected toolResult blocks at messages.${at}.content for the following Ids: ${missing.join(', ')}`);
  }
  return body.messages.at(-1).content.some((block: Json) => block.toolUse)
    ? invalid('The conversation ends with toolUse blocks that have no toolResult.')
    : undefined;
}

function documents(body: Json): Refusal | undefined {
  const names = contents(body).flatMap(({ block }) => [
    ...(block.document ? [block.document.name] : []),
    ...(block.toolResult?.content ?? []).flatMap((inner: Json) => inner.document?.name ?? []),
  ]);
  return new Set(names).size < names.length ? invalid('Messages contain multiple documents with the same name.') : undefined;
}

const redactedPrefix = 'simulated-';

function reasoning(body: Json, family: Family): Refusal | undefined {
  for (const { block, role, path } of contents(body)) {
    const { reasoningContent } = block;
    if (!reasoningContent) continue;
    if (role !== 'assistant')
      return invalid('User messages cannot contain reasoning content. Please remove the reasoning content and try again.');
    if (family !== 'claude') return invalid("This model doesn't support the reasoningContent field.");
    const { reasoningText, redactedContent } = reasoningContent;
    if (reasoningText && reasoningText.signature !== signatureOf(reasoningText.text))
      return invalid(`The model returned the following errors: ${path}: Invalid \`signature\` in \`thinking\` block`);
    if (redactedContent && !Buffer.from(redactedContent, 'base64').toString().startsWith(redactedPrefix))
      return invalid(`The model returned the following errors: ${path}: Invalid \`data\` in \`redacted_thinking\` block`);
  }
  return undefined;
}

function cachePoints(body: Json, family: Family): Refusal | undefined {
  const all = [...(body.system ?? []), ...(body.toolConfig?.tools ?? []), ...contents(body).map(({ block }) => block)] as Json[];
  const points = all.filter(block => block.cachePoint);
  if (points.length === 0) return undefined;
  if (family !== 'claude' && family !== 'nova')
    return invalid('You invoked an unsupported model or your request did not allow prompt caching.');
  if (family === 'nova') {
    if (points.some(block => block.cachePoint.ttl)) return extraneous('ttl');
    if (body.toolConfig?.tools.some((tool: Json) => tool.cachePoint) || body.messages.some(isMarkedAmiss))
      return extraneous('cachePoint');
  }
  return points.length > 4 ? invalid('You have exceeded the maximum number of cache points.') : undefined;
}

/** Nova caches texts and images: not calls and results, and not documents. */
function isMarkedAmiss({ content }: Json): boolean {
  const at = content.findIndex((block: Json) => block.cachePoint);
  return at >= 0 && (content[at - 1]?.document || content.some((block: Json) => block.toolUse || block.toolResult));
}

function forcedTools({ toolConfig }: Json, family: Family): Refusal | undefined {
  const names = (toolConfig?.tools ?? []).flatMap((tool: Json) => tool.toolSpec?.name ?? []);
  if (new Set(names).size < names.length) return invalid('The toolConfig field contains multiple tools with the same name.');
  const choice = toolConfig?.toolChoice;
  const takes = { any: ['claude', 'nova', 'mistral'], tool: ['claude', 'nova'] };
  for (const kind of ['any', 'tool'] as const)
    if (choice?.[kind] && !takes[kind].includes(family))
      return invalid(
        `This model doesn't support the toolConfig.toolChoice.${kind} field. Remove toolConfig.toolChoice.${kind} and try again.`,
      );
  return choice?.tool && !names.includes(choice.tool.name)
    ? invalid(`Tool '${choice.tool.name}' is not in toolConfig.tools.`)
    : undefined;
}

function inference(body: Json, family: Family): Refusal | undefined {
  const { temperature, stopSequences, maxTokens, topP } = body.inferenceConfig ?? {};
  if (family !== 'openai' && temperature > 1) return invalid('1 validation error detected: temperature must be at most 1');
  if (family === 'openai' && stopSequences)
    return invalid("This model doesn't support the stopSequences field. Remove stopSequences and try again.");
  const { thinking, reasoningConfig } = body.additionalModelRequestFields ?? {};
  if (thinking?.type === 'enabled' && !(maxTokens > thinking.budget_tokens))
    return invalid('The model returned the following errors: `max_tokens` must be greater than `thinking.budget_tokens`.');
  const thinks = thinking && thinking.type !== 'disabled';
  if (thinks && temperature !== undefined && temperature !== 1)
    return invalid('The model returned the following errors: `temperature` may only be set to 1 when thinking is enabled.');
  const forced = body.toolConfig?.toolChoice && !body.toolConfig.toolChoice.auto;
  if (thinking?.type === 'enabled' && forced)
    return invalid('The model returned the following errors: Thinking may not be enabled when tool_choice forces tool use.');
  return reasoningConfig?.maxReasoningEffort === 'high' && (maxTokens ?? temperature ?? topP) !== undefined
    ? invalid('maxTokens, temperature and topP cannot be set with a high reasoning effort.')
    : undefined;
}

const structured = /claude-(?:opus|sonnet|haiku)-4-[1-6](?!\d)|deepseek\.v3|google\.gemma|openai\.gpt-oss|qwen\./;

function structuredOutput(body: Json, _family: Family, model: string): Refusal | undefined {
  const format = body.outputConfig?.textFormat;
  const strict = (body.toolConfig?.tools ?? []).some((tool: Json) => tool.toolSpec?.strict);
  if ((format || strict) && !structured.test(model))
    return invalid("This model doesn't support the outputConfig.textFormat field. Remove outputConfig.textFormat and try again.");
  if (!format) return undefined;
  try {
    return isLoose(JSON.parse(format.structure.jsonSchema.schema))
      ? invalid("outputConfig.textFormat: For 'object' type, 'additionalProperties' must be explicitly set to false")
      : undefined;
  } catch {
    return invalid('outputConfig.textFormat.structure.jsonSchema.schema is not valid JSON.');
  }
}

const isLoose = (schema: unknown, depth = 0): boolean =>
  isRecord(schema) &&
  depth < 32 &&
  ((schema.type === 'object' && schema.additionalProperties !== false) ||
    Object.values(isRecord(schema.properties) ? schema.properties : {}).some(property => isLoose(property, depth + 1)) ||
    isLoose(schema.items, depth + 1));

const modelFields: Readonly<Record<Family, readonly string[]>> = {
  claude: ['thinking', 'top_k', 'output_config', 'anthropic_beta', 'tool_choice', 'tools'],
  nova: ['inferenceConfig', 'reasoningConfig'],
  openai: ['reasoning_effort', 'reasoning'],
  mistral: ['top_k'],
  other: [],
};

function additionalFields({ additionalModelRequestFields: fields = {} }: Json, family: Family): Refusal | undefined {
  const extra = Object.keys(fields).find(name => !modelFields[family].includes(name));
  return extra === undefined ? undefined : extraneous(extra);
}
