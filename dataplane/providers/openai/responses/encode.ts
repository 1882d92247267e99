// The neutral request as a Responses body. Nothing is kept at the provider for a client that did not ask for it: reasoning comes sealed,
// and goes back so.
import type { ChatRequest, OutputFormat, Tool, ToolChoice } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import { LeavingOut } from '../../leaving-out.ts';
import type { EncodedRequest, Target } from '../../provider.ts';
import { effortOf } from '../effort.ts';
import { withoutAbsent } from '../encode.ts';
import type { Profile } from '../profile.ts';
import { cleanHistory } from './clean-history.ts';
import { encodeInput } from './encode-input.ts';

type Body = Record<string, unknown>;

/** OpenAI answers 400 to less. */
const OUTPUT_MIN = 16;

export const encodeResponsesFor =
  (profile: Profile) =>
  (request: ChatRequest, target: Target<Connection>): Parsed<EncodedRequest> => {
    const { upstreamName } = target.model;
    if (request.dialect === 'openai-responses' && request.body)
      return ok({ body: { ...cleanHistory(request.body), model: upstreamName }, dropped: [] });
    const limits = new LeavingOut(profile.target, target.provider.parameters.dropUnsupported);
    const traits = profile.modelTraits(target.model);
    const effort = effortOf(request.thinking, traits, limits, 'reasoning.effort');
    const reasons = traits.efforts.length > 0;
    const tier = serviceTier(request, profile);
    for (const name of unsupportedIn(request)) if (name !== 'service_tier' || tier === undefined) limits.leaveOut(name);
    const body = withoutAbsent({
      model: upstreamName,
      input: encodeInput(request.messages, { request, profile, limits }),
      store: false,
      ...tools(request),
      text: request.output && { format: formatOf(request.output) },
      // Without a summary there is nothing to show of what the model thinks.
      reasoning: effort && { effort, ...(effort !== 'none' && { summary: 'auto' }) },
      include: includes(request, reasons && profile.sealsReasoning),
      top_logprobs: request.logprobs?.top,
      ...sampling(request, traits.samplesFreely || effort === 'none', limits),
      max_output_tokens: request.maxOutputTokens && Math.max(request.maxOutputTokens, OUTPUT_MIN),
      service_tier: tier,
      user: request.user,
      ...(request.stream && { stream: true }),
    });
    return limits.refusal ? { ok: false, failure: limits.refusal } : ok({ body, dropped: limits.dropped });
  };

/** The same in OpenAI's other dialect. */
const serviceTier = ({ dialect, extra }: ChatRequest, { serviceTiers }: Profile): unknown =>
  serviceTiers && dialect === 'openai-chat' ? extra.service_tier : undefined;

function unsupportedIn({ sampling: s, stop, choices = 1, extra }: ChatRequest): string[] {
  const absent = {
    stop: stop.length > 0 ? stop : undefined,
    n: choices > 1 ? choices : undefined,
    top_k: s.topK,
    frequency_penalty: s.frequencyPenalty || undefined,
    presence_penalty: s.presencePenalty || undefined,
    seed: s.seed,
    ...extra,
  };
  return Object.entries(absent).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

function includes({ logprobs }: ChatRequest, sealed: boolean): string[] | undefined {
  const all = [...(sealed ? ['reasoning.encrypted_content'] : []), ...(logprobs ? ['message.output_text.logprobs'] : [])];
  return all.length > 0 ? all : undefined;
}

/** For a model that reasons OpenAI answers 400 to anything but its default, 1. */
function sampling({ sampling: { temperature, topP } }: ChatRequest, free: boolean, limits: LeavingOut): Body {
  const taken = (value: number | undefined, name: string) =>
    value === undefined || free || value === 1 ? value : limits.leaveOut(name);
  return { temperature: taken(temperature, 'temperature'), top_p: taken(topP, 'top_p') };
}

function tools({ tools: list, toolChoice, parallelToolCalls }: ChatRequest): Body {
  if (list.length === 0) return {};
  return { tools: list.map(toolOf), tool_choice: toolChoice && choiceOf(toolChoice), parallel_tool_calls: parallelToolCalls };
}

/** Strict is the default of this wire, and of no other. */
const toolOf = ({ name, description, parameters, strict = false }: Tool): Body =>
  withoutAbsent({ type: 'function', name, description, parameters: parameters ?? NO_PARAMETERS, strict });

const NO_PARAMETERS = { type: 'object', properties: {} };

const choiceOf = (choice: ToolChoice): unknown =>
  choice.kind === 'tool' ? { type: 'function', name: choice.name } : choice.kind;

function formatOf(output: OutputFormat): Body {
  if (output.kind === 'json-object') return { type: 'json_object' };
  const { name, description, schema, strict = false } = output;
  return withoutAbsent({ type: 'json_schema', name, description, schema, strict });
}
