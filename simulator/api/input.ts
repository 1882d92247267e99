// What OpenAI does with the input of a response besides answering it: it is counted, or made shorter (`openai` 7.57, resources/responses).
import { digestOf } from '../answer.ts';
import { anything, flag, object, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { openaiProblem } from '../wires/openai-errors.ts';
import { type ApiCall, type ApiReply, done, missing, usageOf } from './call.ts';

const common = { input: anything, instructions: anything, previous_response_id: anything };
const counting = object(
  { model: text({ min: 1 }) },
  {
    ...common,
    conversation: anything,
    parallel_tool_calls: flag,
    personality: text(),
    reasoning: anything,
    text: anything,
    tool_choice: anything,
    tools: anything,
    truncation: text(),
  },
);
const compacting = object(
  { model: text({ min: 1 }) },
  {
    ...common,
    image: anything,
    prompt_cache_key: text(),
    prompt_cache_options: anything,
    prompt_cache_retention: text(),
    service_tier: text(),
  },
);

const sizeOf = ({ body: { fields } }: ApiCall): number => countTokens(JSON.stringify([fields.instructions, fields.input]));

export const inputTokens = (call: ApiCall): ApiReply => {
  const problem = counting(call.body.fields);
  return problem ? openaiProblem(problem) : done({ object: 'response.input_tokens', input_tokens: sizeOf(call) });
};

const SUMMARY_TOKENS = 12;

export const compact = (call: ApiCall): ApiReply => {
  const { fields } = call.body;
  const problem = compacting(fields);
  if (problem) return openaiProblem(problem);
  if (fields.input === undefined && fields.previous_response_id === undefined) return missing('input');
  const id = digestOf(JSON.stringify(fields)).slice(0, 24);
  return done({
    id: `resp_${id}`,
    object: 'response.compaction',
    created_at: call.now,
    output: [{ id: `cmp_${id}`, type: 'compaction', encrypted_content: `sealed-${id}` }],
    usage: usageOf(sizeOf(call), SUMMARY_TOKENS),
  });
};
