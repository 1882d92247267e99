// The neutral request as a chat completions body, for any target of this dialect.
import type { ChatRequest, OutputFormat, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import { LeavingOut } from '../leaving-out.ts';
import type { EncodedRequest, Target } from '../provider.ts';
import { effortOf } from './effort.ts';
import { encodeMessages } from './encode-messages.ts';
import type { Profile } from './profile.ts';

type Body = Record<string, unknown>;

export const encodeFor =
  (profile: Profile) =>
  (request: ChatRequest, target: Target<Connection>): Parsed<EncodedRequest> => {
    const limits = new LeavingOut(profile.target, target.provider.parameters.dropUnsupported);
    const traits = profile.modelTraits(target.model);
    const effort = effortOf(request.thinking, traits, limits);
    // A translated answer is one: the others would be paid for, and shown to nobody.
    if ((request.choices ?? 1) > 1) limits.leaveOut('n');
    const body = withoutAbsent({
      ...extra(request, profile, limits),
      model: target.model.upstreamName,
      messages: encodeMessages(request, profile, limits),
      ...tools(request),
      response_format: request.output && responseFormat(request.output),
      reasoning_effort: effort,
      ...sampling(request, profile, traits.samplesFreely || effort === 'none', limits),
      [traits.maxTokens]: request.maxOutputTokens,
      user: request.user,
      ...(request.stream && { stream: true, stream_options: { include_usage: true } }),
    });
    return limits.refusal ? { ok: false, failure: limits.refusal } : ok({ body, dropped: limits.dropped });
  };

export function withoutAbsent(body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

/** Fields that only the client's dialect knows are ours too where it is this one. */
function extra({ dialect, extra: fields }: ChatRequest, { serviceTiers }: Profile, limits: LeavingOut): Body {
  if (dialect === 'openai-chat') return { ...fields };
  const { service_tier: tier, ...others } = fields;
  const takesTier = serviceTiers && dialect === 'openai-responses';
  for (const name of Object.keys(takesTier ? others : fields)) limits.leaveOut(name);
  return takesTier ? { service_tier: tier } : {};
}

function tools({ tools: list, toolChoice, parallelToolCalls }: ChatRequest): Body {
  // OpenAI refuses a choice, or a word about parallel calls, where there are no tools.
  if (list.length === 0) return {};
  return { tools: list.map(toolOf), tool_choice: toolChoice && choiceOf(toolChoice), parallel_tool_calls: parallelToolCalls };
}

function toolOf({ name, description, parameters, strict }: Tool): Body {
  return { type: 'function', function: withoutAbsent({ name, description, parameters, strict }) };
}

const choiceOf = (choice: ToolChoice): unknown =>
  choice.kind === 'tool' ? { type: 'function', function: { name: choice.name } } : choice.kind;

function responseFormat(output: OutputFormat): Body {
  if (output.kind === 'json-object') return { type: 'json_object' };
  const { name, description, schema, strict } = output;
  return { type: 'json_schema', json_schema: withoutAbsent({ name, description, schema, strict }) };
}

/** `free` is false for a model that reasons: OpenAI answers 400 to these fields then, but for a temperature or top_p of 1. */
function sampling(request: ChatRequest, profile: Profile, free: boolean, limits: LeavingOut): Body {
  const { temperature, topP, topK, frequencyPenalty, presencePenalty, seed } = request.sampling;
  const taken = <T>(value: T | undefined, name: string, can: boolean): T | undefined =>
    value === undefined || can ? value : limits.leaveOut(name);
  const stop = request.stop.length > 0 ? request.stop : undefined;
  const logprobs = taken(request.logprobs, 'logprobs', free);
  return {
    temperature: taken(temperature, 'temperature', free || temperature === 1),
    top_p: taken(topP, 'top_p', free || topP === 1),
    top_k: taken(topK, 'top_k', profile.topK),
    frequency_penalty: taken(frequencyPenalty, 'frequency_penalty', free || frequencyPenalty === 0),
    presence_penalty: taken(presencePenalty, 'presence_penalty', free || presencePenalty === 0),
    seed,
    stop: taken(stop, 'stop', free && (stop?.length ?? 0) <= profile.stopMax),
    ...(logprobs && { logprobs: true, top_logprobs: logprobs.top }),
  };
}
