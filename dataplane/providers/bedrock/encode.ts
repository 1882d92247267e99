// The neutral request as the body of Converse and ConverseStream: they take the same.
import type { ChatRequest, OutputFormat, Tool } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import { closedSchema } from '../anthropic/index.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { EncodedRequest } from '../provider.ts';
import type { Turn } from '../turns.ts';
import { cleanHistory } from './clean-history.ts';
import { type Block, type Context, cachePoint } from './encode-content.ts';
import { encodeMessages } from './encode-messages.ts';
import { traitsOf } from './models.ts';
import type { BedrockTarget } from './target.ts';
import { type ThinkingFields, thinkingFields } from './thinking.ts';

export function encode(request: ChatRequest, target: BedrockTarget): Parsed<EncodedRequest> {
  const { model, provider } = target;
  const traits = traitsOf(model);
  if (request.dialect === 'bedrock-converse' && request.body)
    return ok({ body: cleanHistory(request.body, traits.family === 'claude'), dropped: [] });
  const limits = new LeavingOut(`The model ${model.name} of the provider ${provider.name}`, provider.parameters.dropUnsupported);
  const context: Context = { traits, limits, documents: new Set() };
  const conversation = encodeMessages(request.messages, context);
  if (!conversation.ok) return conversation;
  const { system, turns } = conversation.value;
  const thinking = thinkingFields(request, target, limits);
  const inference = inferenceConfig(request, thinking, context);
  const more = { ...thinking.more, ...topK(request, thinking, context) };
  const body = {
    messages: turns,
    ...(system.length > 0 && { system }),
    ...(Object.keys(inference).length > 0 && { inferenceConfig: inference }),
    ...toolConfig(request, turns, context),
    ...outputConfig(request.output, context),
    ...(Object.keys(more).length > 0 && { additionalModelRequestFields: more }),
    ...requestMetadata(request, context),
  };
  for (const [name, value] of Object.entries(withoutPlace(request))) if (value !== undefined) limits.leaveOut(name);
  return limits.refusal ? { ok: false, failure: limits.refusal } : ok({ body, dropped: limits.dropped });
}

function inferenceConfig(request: ChatRequest, { maxTokens, forbids }: ThinkingFields, context: Context): Block {
  const { traits, limits } = context;
  const { temperature, topP } = request.sampling;
  const taken = <T>(value: T | undefined, name: string, can: boolean): T | undefined =>
    value === undefined || can ? value : limits.leaveOut(name);
  const stop = request.stop.filter(sequence => sequence.trim() !== '');
  if (stop.length < request.stop.length) limits.leaveOut('stop');
  const free = forbids !== 'sampling';
  return present({
    maxTokens,
    temperature: taken(temperature, 'temperature', free && (temperature ?? 0) <= traits.temperatureMax),
    topP: taken(topP, 'top_p', free && (forbids === 'nothing' || temperature === undefined)),
    stopSequences: taken(stop.length > 0 ? stop : undefined, 'stop', traits.stopSequences),
  });
}

/** `topK` of Nova is in an object of its own. */
function topK({ sampling }: ChatRequest, { forbids }: ThinkingFields, { traits, limits }: Context): Block {
  const count = sampling.topK;
  if (count === undefined) return {};
  if (!traits.topK || forbids === 'sampling') return limits.leaveOut('top_k') ?? {};
  return traits.topK.reduceRight<unknown>((inner, name) => ({ [name]: inner }), count) as Block;
}

/**
 * There is no choice of `none`. Where no call was made yet the tools are simply not offered; a history with calls is refused without its
 * tools ("toolConfig field must be defined"), so there the choice cannot be had.
 */
function toolConfig(request: ChatRequest, turns: readonly Turn<Block>[], context: Context): Block {
  const { toolChoice: choice, parallelToolCalls } = request;
  const called = calledTools(turns);
  if (request.tools.length > 0 && parallelToolCalls === false) context.limits.leaveOut('parallel_tool_calls');
  if (choice?.kind === 'none' && called.size === 0) return {};
  // Nobody offers these tools any more; what was called still has to be declared.
  const offered = request.tools.length > 0 ? request.tools : [...called].map((name): Tool => ({ name }));
  if (offered.length === 0) return {};
  const tools = offered.flatMap((tool, index) => toolBlocks(tool, index, context));
  const toolChoice = choiceOf(request, context);
  return { toolConfig: { tools, ...(toolChoice && { toolChoice }) } };
}

function calledTools(turns: readonly Turn<Block>[]): ReadonlySet<string> {
  const blocks = turns.flatMap(({ content }) => content) as readonly { readonly toolUse?: { readonly name: string } }[];
  return new Set(blocks.flatMap(({ toolUse }) => toolUse?.name ?? []));
}

function toolBlocks({ name, description, parameters, strict, cache }: Tool, index: number, context: Context): readonly Block[] {
  const { traits, limits } = context;
  if (strict && !traits.structuredOutput) limits.leaveOut(`tools[${index}].strict`);
  const toolSpec = {
    name,
    // An empty one is refused.
    ...(description && { description }),
    inputSchema: { json: { type: 'object', ...parameters } },
    ...(strict && traits.structuredOutput && { strict: true }),
  };
  return [{ toolSpec }, ...(traits.caching === 'texts' ? [] : cachePoint(cache, context))];
}

function choiceOf({ toolChoice: choice, tools }: ChatRequest, { traits, limits }: Context): Block | undefined {
  switch (choice?.kind) {
    case undefined:
    case 'auto':
      return undefined;
    case 'none':
      // Without tools that are offered, it says nothing.
      return tools.length > 0 ? limits.leaveOut('tool_choice') : undefined;
    case 'required':
      return traits.forces.has('any') ? { any: {} } : limits.leaveOut('tool_choice');
    case 'tool':
      return traits.forces.has('tool') ? { tool: { name: choice.name } } : limits.leaveOut('tool_choice');
  }
}

/** A schema is sent as a text. There is no mode for JSON without one. */
function outputConfig(output: OutputFormat | undefined, { traits, limits }: Context): Block {
  if (!output) return {};
  if (output.kind !== 'json-schema' || !traits.structuredOutput) return limits.leaveOut('response_format') ?? {};
  const { name, description } = output;
  const jsonSchema = { ...present({ name, description }), schema: JSON.stringify(closedSchema(output.schema)) };
  return { outputConfig: { textFormat: { type: 'json_schema', structure: { jsonSchema } } } };
}

/** Shown in the logs of invocations. */
const METADATA = /^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$/;

function requestMetadata({ user }: ChatRequest, { limits }: Context): Block {
  if (user === undefined) return {};
  return METADATA.test(user) ? { requestMetadata: { user } } : (limits.leaveOut('user') ?? {});
}

function withoutPlace({ sampling, logprobs, choices, extra }: ChatRequest): Readonly<Record<string, unknown>> {
  const { frequencyPenalty, presencePenalty, seed } = sampling;
  return {
    frequency_penalty: frequencyPenalty,
    presence_penalty: presencePenalty,
    seed,
    logprobs,
    n: choices === 1 ? undefined : choices,
    ...extra,
  };
}

const present = (fields: Block): Block => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
