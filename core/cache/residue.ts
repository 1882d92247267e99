// What a body says that the neutral request does not: fields nobody has given a neutral meaning to yet. On the way to an upstream of the
// client's dialect they survive, so the answer may depend on them, and requests that differ in them must not share one. Top-level fields
// are in `ChatRequest.extra`; this is about what stands inside of messages, tools and formats.
import type { Dialect } from '../chat/dialect.ts';
import { isRecord } from '../json/record.ts';

/** `all`: the neutral request has it whole, or the models never see it. */
type Rule = Known | { readonly each: Rule } | Variants;
type Known = 'all' | { readonly fields: Readonly<Record<string, Rule>> };
/** By the value of a field; with any other value the whole object is left over. */
type Variants = { readonly by: string; readonly of: Readonly<Record<string, Known>>; readonly absent?: Known };
type Left = [path: string, value: unknown][];

/** @returns paths and values, in the body's order; empty: nothing is left over */
export function residueOf(dialect: Dialect, body: Readonly<Record<string, unknown>>): Left {
  const left: Left = [];
  for (const [name, rule] of Object.entries(rules[dialect])) collect(rule, body[name], name, left);
  return left;
}

function collect(rule: Rule, value: unknown, path: string, left: Left): void {
  // Where a string may stand for a list or an object, it is read as one.
  if (rule === 'all' || typeof value !== 'object' || value === null) return;
  if ('each' in rule) {
    if (Array.isArray(value)) for (const [i, item] of value.entries()) collect(rule.each, item, `${path}[${i}]`, left);
    else left.push([path, value]);
    return;
  }
  const known = isRecord(value) ? knownOf(rule, value) : undefined;
  if (known === undefined) left.push([path, value]);
  else if (known !== 'all')
    for (const [name, inner] of Object.entries(value)) {
      if (inner === null) continue;
      if (Object.hasOwn(known.fields, name)) collect(known.fields[name]!, inner, `${path}.${name}`, left);
      else left.push([`${path}.${name}`, inner]);
    }
}

function knownOf(rule: Exclude<Known, 'all'> | Variants, value: Readonly<Record<string, unknown>>): Known | undefined {
  if ('fields' in rule) return rule;
  const { by, of, absent } = rule;
  const name = value[by];
  if (name === undefined) return absent;
  return typeof name === 'string' && Object.hasOwn(of, name) ? of[name] : undefined;
}

const fields = (names: string, inner: Readonly<Record<string, Rule>> = {}): Known => ({
  fields: { ...Object.fromEntries(names.split(' ').map(name => [name, 'all' as const])), ...inner },
});
const each = (rule: Rule): Rule => ({ each: rule });

/** Marks of the provider's own cache: no model sees them. */
const MARKS = 'cache_control prompt_cache_breakpoint';

const openAIParts = each({
  by: 'type',
  // Others than text bypass the cache, or are an earlier answer's.
  of: { text: fields(`type text ${MARKS}`), refusal: fields('type refusal'), image_url: 'all', input_audio: 'all', file: 'all' },
});
const openAISystem = fields('role', { content: openAIParts });
const openAIFunction = fields('name description parameters strict');
const openAICall = fields('id type', { function: fields('name arguments') });
const openAICalls = each({ by: 'type', of: { function: openAICall }, absent: openAICall });

const anthropicText = fields('type text cache_control');
const anthropicFormat = { by: 'type', of: { json_schema: fields('type schema') } };
const anthropicTool = fields('type name description input_schema strict cache_control');

const responsesText = {
  input_text: fields('type text'),
  output_text: fields('type text logprobs'),
  refusal: fields('type refusal'),
};
// Others than text bypass the cache.
const responsesParts = each({
  by: 'type',
  of: { ...responsesText, input_image: 'all', input_file: 'all', input_audio: 'all' },
});
const responsesMessage = fields('type role id status', { content: responsesParts });
const converseSchema = { fields: { jsonSchema: fields('name description schema') } };
const conversePoint = { by: 'type', of: { default: fields('type ttl') } };
/** A block is of the kind whose field it has. Others than text bypass the cache, or are an earlier answer's. */
const converseBlocks = each(
  fields('text image document audio toolResult', {
    cachePoint: conversePoint,
    toolUse: fields('toolUseId name input'),
    reasoningContent: fields('redactedContent', { reasoningText: fields('text signature') }),
  }),
);
const converseTool = {
  fields: {
    cachePoint: conversePoint,
    toolSpec: fields('name description strict', { inputSchema: fields('json') }),
  },
};
const nothingOfIt: Variants = { by: 'type', of: {} };

const rules: Readonly<Record<Dialect, Readonly<Record<string, Rule>>>> = {
  'openai-chat': {
    messages: each({
      by: 'role',
      of: {
        system: openAISystem,
        developer: openAISystem,
        user: fields('role name', { content: openAIParts }),
        assistant: fields('role name refusal reasoning reasoning_content', {
          content: openAIParts,
          tool_calls: openAICalls,
          function_call: fields('name arguments'),
        }),
        // Results of tools bypass the cache.
        tool: 'all',
        function: 'all',
      },
    }),
    tools: each({ by: 'type', of: { function: fields(`type ${MARKS}`, { function: openAIFunction }) } }),
    functions: each(openAIFunction),
    tool_choice: { by: 'type', of: { function: fields('type', { function: fields('name') }), allowed_tools: 'all' } },
    response_format: fields('type', { json_schema: fields('name description schema strict') }),
  },
  'openai-responses': {
    input: each({
      by: 'type',
      of: {
        message: responsesMessage,
        function_call: fields('type id call_id name arguments status'),
        reasoning: fields('type id status encrypted_content', {
          summary: each({ by: 'type', of: { summary_text: fields('type text') } }),
          content: nothingOfIt,
        }),
        // Results of tools bypass the cache.
        function_call_output: 'all',
      },
      absent: responsesMessage,
    }),
    tools: each({ by: 'type', of: { function: fields('type name description parameters strict') } }),
    tool_choice: { by: 'type', of: { function: fields('type name'), allowed_tools: 'all' } },
    text: fields('verbosity', {
      format: {
        by: 'type',
        of: { text: fields('type'), json_object: fields('type'), json_schema: fields('type name description schema strict') },
      },
    }),
    reasoning: fields('effort'),
    // What an answer shows besides.
    include: nothingOfIt,
  },
  // A text, or what bypasses the cache.
  'openai-completions': {},
  gemini: {
    systemInstruction: { fields: { parts: each(fields('text')) } },
    contents: each(
      fields('role', {
        // Others than text bypass the cache, or are an earlier answer's.
        parts: each(
          fields('text thought thoughtSignature inlineData fileData functionResponse', { functionCall: fields('id name args') }),
        ),
      }),
    ),
    tools: each({ fields: { functionDeclarations: each(fields('name description parameters parametersJsonSchema')) } }),
    // Modes, schemas and settings of thinking have more shades than the neutral request.
    toolConfig: { fields: {} },
    generationConfig: fields(
      'maxOutputTokens temperature topP topK frequencyPenalty presencePenalty seed stopSequences candidateCount',
    ),
  },
  'bedrock-converse': {
    system: each(fields('text', { cachePoint: conversePoint })),
    messages: each(fields('role', { content: converseBlocks })),
    toolConfig: {
      fields: {
        tools: each(converseTool),
        toolChoice: { fields: { tool: fields('name'), any: { fields: {} }, auto: { fields: {} } } },
      },
    },
    inferenceConfig: fields('maxTokens temperature topP stopSequences'),
    // Each model has its own.
    additionalModelRequestFields: nothingOfIt,
    outputConfig: {
      fields: {
        textFormat: { by: 'type', of: { json_schema: fields('type', { structure: converseSchema }) } },
      },
    },
  },
  'anthropic-messages': {
    system: each({ by: 'type', of: { text: anthropicText } }),
    messages: each(
      fields('role', {
        content: each({
          by: 'type',
          of: {
            text: anthropicText,
            thinking: fields('type thinking signature'),
            redacted_thinking: fields('type data'),
            tool_use: fields('type id name input cache_control'),
            tool_result: 'all',
            image: 'all',
            document: 'all',
          },
        }),
      }),
    ),
    tools: each({ by: 'type', of: { custom: anthropicTool }, absent: anthropicTool }),
    tool_choice: fields('type name disable_parallel_tool_use'),
    thinking: {
      by: 'type',
      of: { disabled: fields('type'), adaptive: fields('type'), enabled: fields('type budget_tokens') },
    },
    output_config: fields('effort', { format: anthropicFormat }),
    output_format: anthropicFormat,
  },
};
