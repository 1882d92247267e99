// The neutral request as the body of POST /v1/messages.
import type { ChatRequest, OutputFormat, Tool } from '#core/chat/request.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { EncodedRequest } from '../provider.ts';
import { cleanHistory } from './clean-history.ts';
import { type Block, cacheControl, encodeMessages } from './encode-messages.ts';
import { abilitiesOf } from './models.ts';
import { closedSchema } from './schema.ts';
import type { AnthropicTarget } from './target.ts';
import { planThinking, type ThinkingPlan } from './thinking.ts';
import { takesSampling } from './version.ts';

/** Top-level fields of the body, and what of the request they could not carry. */
type Encoded = { readonly fields: Record<string, unknown>; readonly unsupported: readonly string[] };

export function encode(request: ChatRequest, target: AnthropicTarget): Parsed<EncodedRequest> {
  const model = target.model.upstreamName;
  if (request.dialect === 'anthropic-messages' && request.body) {
    const { body, dropped } = cleanHistory(request.body);
    return ok({ body: { ...body, model }, dropped });
  }
  const conversation = encodeMessages(request.messages);
  if (!conversation.ok) return conversation;
  const { system, turns, unsupported } = conversation.value;
  const plan = planThinking(request, target);
  const encoded: readonly Encoded[] = [
    { fields: { model, max_tokens: plan.maxTokens }, unsupported: plan.lost ? ['thinking'] : [] },
    { fields: { ...(system.length > 0 && { system }), messages: turns }, unsupported },
    tools(request, target),
    thinkingAndOutput(request, target, plan),
    sampling(request, target),
    stop(request),
    rest(request),
  ];
  return carried(encoded, target);
}

function carried(encoded: readonly Encoded[], target: AnthropicTarget): Parsed<EncodedRequest> {
  const dropped = encoded.flatMap(part => part.unsupported);
  const param = dropped[0];
  if (param !== undefined && !target.provider.parameters.dropUnsupported) {
    const message = `${param} is not supported by the model ${target.model.name} of the provider ${target.provider.name}.`;
    return refuse('unsupported_parameter', { param, message });
  }
  return ok({ body: Object.assign({}, ...encoded.map(part => part.fields)), dropped });
}

function tools(request: ChatRequest, target: AnthropicTarget): Encoded {
  if (request.tools.length === 0) return { fields: {}, unsupported: [] };
  const strictIsKnown = abilitiesOf(target.model.upstreamName).structuredOutput;
  const choice = toolChoice(request);
  return {
    fields: { tools: request.tools.map(t => tool(t, strictIsKnown)), ...(choice && { tool_choice: choice }) },
    unsupported: request.tools.flatMap((t, index) => (t.strict && !strictIsKnown ? [`tools[${index}].strict`] : [])),
  };
}

function tool(t: Tool, strictIsKnown: boolean): Block {
  return {
    name: t.name,
    ...(t.description !== undefined && { description: t.description }),
    // `type: object` must be there, and OpenAI lets it be left out.
    input_schema: { type: 'object', ...t.parameters },
    ...(t.strict && strictIsKnown && { strict: true }),
    ...cacheControl(t.cache),
  };
}

function toolChoice({ toolChoice: choice, parallelToolCalls }: ChatRequest): Block | undefined {
  if (choice?.kind === 'none') return { type: 'none' };
  const serial = parallelToolCalls === false && { disable_parallel_tool_use: true };
  if (choice?.kind === 'tool') return { type: 'tool', name: choice.name, ...serial };
  if (!choice && !serial) return undefined;
  return { type: choice?.kind === 'required' ? 'any' : 'auto', ...serial };
}

function thinkingAndOutput(request: ChatRequest, target: AnthropicTarget, plan: ThinkingPlan): Encoded {
  const format = outputFormat(request.output, target);
  const config = { ...(plan.effort && { effort: plan.effort }), ...(format && { format }) };
  return {
    fields: {
      ...(plan.thinking && { thinking: plan.thinking }),
      ...(Object.keys(config).length > 0 && { output_config: config }),
    },
    unsupported: unsupportedOutput(request.output, format !== undefined),
  };
}

/** A format has a schema and nothing else. Its name is a label that no answer depends on. */
function unsupportedOutput(output: OutputFormat | undefined, isTaken: boolean): readonly string[] {
  if (output && !isTaken) return ['response_format'];
  return output?.kind === 'json-schema' && output.description !== undefined ? ['response_format.json_schema.description'] : [];
}

/** There is no mode for JSON without a schema. */
function outputFormat(output: OutputFormat | undefined, target: AnthropicTarget): Block | undefined {
  if (output?.kind !== 'json-schema' || !abilitiesOf(target.model.upstreamName).structuredOutput) return undefined;
  return { type: 'json_schema', schema: closedSchema(output.schema) };
}

function sampling(request: ChatRequest, target: AnthropicTarget): Encoded {
  const { temperature, topP, topK } = request.sampling;
  const given = Object.entries({ temperature, top_p: topP, top_k: topK }).filter(([, value]) => value !== undefined);
  const takes = takesSampling(request, target);
  const both = abilitiesOf(target.model.upstreamName).temperatureWithTopP || temperature === undefined;
  const isTaken = ([name, value]: [string, number | undefined]): boolean => {
    if (name === 'temperature') return takes && value !== undefined && value <= 1;
    return takes && (name !== 'top_p' || both);
  };
  return {
    fields: Object.fromEntries(given.filter(isTaken)),
    unsupported: given.filter(entry => !isTaken(entry)).map(([name]) => name),
  };
}

/** A sequence of white space alone is refused. */
function stop({ stop: sequences }: ChatRequest): Encoded {
  const taken = sequences.filter(sequence => sequence.trim() !== '');
  return {
    fields: taken.length > 0 ? { stop_sequences: taken } : {},
    unsupported: taken.length < sequences.length ? ['stop'] : [],
  };
}

function rest(request: ChatRequest): Encoded {
  const { frequencyPenalty, presencePenalty, seed } = request.sampling;
  const unknown = {
    frequency_penalty: frequencyPenalty,
    presence_penalty: presencePenalty,
    seed,
    logprobs: request.logprobs,
    n: request.choices === 1 ? undefined : request.choices,
    ...request.extra,
  };
  return {
    fields: {
      ...(request.stream && { stream: true }),
      ...(request.user !== undefined && { metadata: { user_id: request.user } }),
    },
    unsupported: Object.entries(unknown).flatMap(([name, value]) => (value === undefined ? [] : [name])),
  };
}
