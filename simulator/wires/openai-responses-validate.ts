// What OpenAI's Responses endpoint accepts: the tables are its request types (npm `openai` 7, ResponseCreateParams), the rules below them
// are those it states in its error messages. Everything else is 400.
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
import { invalid, openaiProblem } from './openai-errors.ts';
import type { Refusal } from './wire.ts';

/** What reasoning is sealed with: nobody else's is taken. */
export const SEAL = 'gAAAAA';

const anyObject = mapOf(anything, 10_000);
const toolName = text({ pattern: /^[a-zA-Z0-9_-]+$/, max: 64 });
const callId = text({ min: 1, max: 64 });
const idOf = (prefix: string) => text({ pattern: new RegExp(`^${prefix}_`), max: 128 });
const status = nullable(oneOf('in_progress', 'completed', 'incomplete'));

const inputParts = {
  input_text: object({ type: anything, text: text() }, { prompt_cache_breakpoint: anyObject }),
  input_image: object(
    { type: anything },
    {
      image_url: nullable(text({ min: 1 })),
      file_id: nullable(text()),
      detail: nullable(oneOf('auto', 'low', 'high', 'original')),
    },
  ),
  input_file: object(
    { type: anything },
    { filename: text(), file_data: text(), file_id: nullable(text()), file_url: text(), detail: oneOf('auto', 'low', 'high') },
  ),
  input_audio: object({ type: anything, input_audio: object({ data: text(), format: oneOf('wav', 'mp3') }) }),
};
const index = integer(0);
const annotations = list(
  tagged('type', {
    url_citation: object({ type: anything, url: text(), title: text(), start_index: index, end_index: index }),
    file_citation: object({ type: anything, file_id: text(), filename: text(), index }),
    container_file_citation: object({
      type: anything,
      container_id: text(),
      file_id: text(),
      filename: text(),
      start_index: index,
      end_index: index,
    }),
    file_path: object({ type: anything, file_id: text(), index }),
  }),
);
const outputParts = {
  output_text: object({ type: anything, text: text() }, { annotations, logprobs: nullable(list(anyObject)) }),
  refusal: object({ type: anything, refusal: text() }),
};
const around = { type: anything, id: idOf('msg'), status };
const said = textOr(list(tagged('type', inputParts), { min: 1 }));

const message = tagged('role', {
  user: object({ role: anything, content: said }, around),
  system: object({ role: anything, content: said }, around),
  developer: object({ role: anything, content: said }, around),
  assistant: object(
    { role: anything, content: textOr(list(tagged('type', outputParts), { min: 1 })) },
    { ...around, phase: nullable(oneOf('commentary', 'final_answer')) },
  ),
});

const item = tagged(
  'type',
  {
    message,
    function_call: object(
      { type: anything, call_id: callId, name: toolName, arguments: text() },
      { id: nullable(idOf('fc')), status, namespace: text() },
    ),
    function_call_output: object(
      { type: anything, call_id: callId, output: textOr(list(tagged('type', inputParts))) },
      { id: nullable(idOf('fc')), status },
    ),
    reasoning: object(
      { type: anything, summary: list(object({ type: oneOf('summary_text'), text: text() })) },
      {
        id: idOf('rs'),
        content: nullable(list(object({ type: oneOf('reasoning_text'), text: text() }))),
        encrypted_content: nullable(text()),
        status,
      },
    ),
    item_reference: object({ id: text({ min: 1 }) }, { type: anything }),
    custom_tool_call: object({ type: anything, call_id: callId, name: toolName, input: text() }, { id: text(), status }),
    custom_tool_call_output: object({ type: anything, call_id: callId, output: anything }, { id: text(), status }),
    web_search_call: object({ type: anything, id: idOf('ws'), status: text() }, { action: anyObject }),
  },
  'message',
);

const tool = tagged('type', {
  function: object(
    { type: anything, name: toolName, parameters: nullable(anyObject) },
    { description: nullable(text()), strict: nullable(flag) },
  ),
  custom: object({ type: anything, name: toolName }, { description: text(), format: anyObject }),
  web_search: object(
    { type: anything },
    { filters: nullable(anyObject), search_context_size: text(), user_location: nullable(anyObject) },
  ),
  code_interpreter: object({ type: anything, container: anything }),
  file_search: object({ type: anything, vector_store_ids: list(text(), { min: 1 }) }, { max_num_results: integer(1, 50) }),
});

const toolChoice: Shape = value =>
  typeof value === 'string'
    ? oneOf('none', 'auto', 'required')(value)
    : tagged('type', {
        function: object({ type: anything, name: toolName }),
        custom: object({ type: anything, name: toolName }),
        allowed_tools: object({ type: anything, mode: oneOf('auto', 'required'), tools: list(anyObject, { min: 1 }) }),
        web_search: object({ type: anything }),
      })(value);

const format = tagged('type', {
  text: object({ type: anything }),
  json_object: object({ type: anything }),
  json_schema: object({ type: anything, name: toolName, schema: anyObject }, { description: text(), strict: nullable(flag) }),
});

const request = object(
  { model: text({ min: 1 }) },
  {
    background: nullable(flag),
    context_management: nullable(list(anyObject)),
    conversation: nullable(anything),
    include: nullable(
      list(
        oneOf(
          'file_search_call.results',
          'web_search_call.results',
          'web_search_call.action.sources',
          'message.input_image.image_url',
          'computer_call_output.output.image_url',
          'code_interpreter_call.outputs',
          'reasoning.encrypted_content',
          'message.output_text.logprobs',
        ),
      ),
    ),
    input: textOr(list(item)),
    instructions: nullable(text()),
    max_output_tokens: nullable(integer(16)),
    max_tool_calls: nullable(integer(1)),
    metadata: nullable(mapOf(text({ max: 512 }), 16)),
    parallel_tool_calls: nullable(flag),
    previous_response_id: nullable(text()),
    prompt: nullable(anyObject),
    prompt_cache_key: nullable(text({ max: 64 })),
    prompt_cache_retention: nullable(oneOf('in_memory', '24h')),
    reasoning: nullable(
      object(
        {},
        {
          effort: nullable(oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')),
          summary: nullable(oneOf('auto', 'concise', 'detailed')),
        },
      ),
    ),
    safety_identifier: nullable(text({ max: 64 })),
    service_tier: nullable(oneOf('auto', 'default', 'flex', 'scale', 'priority')),
    store: nullable(flag),
    stream: nullable(flag),
    stream_options: nullable(object({}, { include_obfuscation: flag })),
    temperature: nullable(number(0, 2)),
    text: object({}, { format, verbosity: nullable(oneOf('low', 'medium', 'high')) }),
    tool_choice: toolChoice,
    tools: list(tool, { max: 128 }),
    top_logprobs: nullable(integer(0, 20)),
    top_p: nullable(number(0, 1)),
    truncation: nullable(oneOf('auto', 'disabled')),
    user: text(),
  },
);

/** @param known ids of calls in what the request goes on with */
export function responsesInvalid(body: unknown, known: ReadonlySet<string>): Refusal | undefined {
  const problem = request(body);
  if (problem?.kind === 'unknown')
    return invalid(`Unknown parameter: '${problem.path.join('.')}'.`, problem.path.join('.'), 'unknown_parameter');
  if (problem) return openaiProblem(problem);
  return rules.reduce<Refusal | undefined>((found, rule) => found ?? rule(body as Json, known), undefined);
}

const itemsIn = (body: Json): readonly Json[] => (Array.isArray(body.input) ? (body.input as Json[]) : []);
const callsIn = (items: readonly Json[]) => items.filter(({ type }) => type === 'function_call');

type Rule = (body: Json, known: ReadonlySet<string>) => Refusal | undefined;

const needsInput: Rule = body =>
  body.input === undefined && !body.prompt && !body.previous_response_id
    ? invalid('One of "input" or "previous_response_id" or \'prompt\' or \'conversation\' must be provided.', 'input')
    : undefined;

const answersKnownCalls: Rule = (body, known) => {
  const calls = new Set([...known, ...callsIn(itemsIn(body)).map(call => call.call_id)]);
  const stray = itemsIn(body).find(({ type, call_id: id }) => type === 'function_call_output' && !calls.has(id));
  return stray && invalid(`No tool call found for function call output with call_id ${stray.call_id}.`, 'input');
};

const answersAllCalls: Rule = body => {
  const answered = new Set(itemsIn(body).flatMap(({ type, call_id: id }) => (type === 'function_call_output' ? [id] : [])));
  const open = callsIn(itemsIn(body)).find(({ call_id: id }) => !answered.has(id));
  return open && invalid(`No tool output found for function call ${open.call_id}.`, 'input');
};

const ownReasoning: Rule = body => {
  for (const [i, { type, encrypted_content: sealed }] of itemsIn(body).entries())
    if (type === 'reasoning' && sealed != null && !String(sealed).startsWith(SEAL))
      return invalid(
        'The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed.',
        `input[${i}]`,
        'invalid_encrypted_content',
      );
  return undefined;
};

const backgroundIsStored: Rule = body =>
  body.background && body.store === false ? invalid('`store` must be true when `background` is true.', 'store') : undefined;

/** What a schema has to say for `strict`, as it does in chat completions. */
const strictSchema: Rule = ({ text: asked }) => {
  const { strict, schema } = asked?.format ?? {};
  return strict && isRecord(schema) && schema.type === 'object' && schema.additionalProperties !== false
    ? invalid(
        "Invalid schema for response_format: In context=(), 'additionalProperties' is required to be supplied and to be false.",
        'text.format.schema',
        'invalid_json_schema',
      )
    : undefined;
};

const rules: readonly Rule[] = [needsInput, answersKnownCalls, answersAllCalls, ownReasoning, backgroundIsStored, strictSchema];
