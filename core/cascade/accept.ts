// Whether the answer of a cascade's step is good enough to be served. Pure: what a schema takes is asked of a function that comes in.
import type { ChatReply, Logprobs } from '../chat/reply.ts';
import type { AssistantPart, ChatRequest, ToolCallPart } from '../chat/request.ts';
import type { CascadeStep } from '../snapshot/snapshot.ts';

export type Accept = NonNullable<CascadeStep['accept']>;

/** What an answer falls short of; `judge`: what the judge thinks of it. */
export type Shortfall = Accept['rules'][number] | 'maxOutputTokens' | 'minConfidence' | 'judge';

/** What the client asked the answer to be. */
export type Asked = Pick<ChatRequest, 'output' | 'tools'>;

/** Whether a value is one that a JSON schema takes. */
export type Fits = (schema: Readonly<Record<string, unknown>>, value: unknown) => boolean;

/** The first thing that the answer falls short of, or undefined. The judge is asked only about what nothing else speaks against. */
export function shortfallOf(reply: ChatReply, accept: Accept, asked: Asked, fits: Fits): Shortfall | undefined {
  const rule = accept.rules.find(name => !rules[name](reply, asked, fits));
  if (rule) return rule;
  if (accept.maxOutputTokens !== undefined && outputTokens(reply) > accept.maxOutputTokens) return 'maxOutputTokens';
  if (accept.minConfidence !== undefined && !((confidenceOf(reply.logprobs) ?? 0) >= accept.minConfidence))
    return 'minConfidence';
  return undefined;
}

type Rule = (reply: ChatReply, asked: Asked, fits: Fits) => boolean;

const rules: Readonly<Record<Accept['rules'][number], Rule>> = {
  NonEmpty: ({ parts }) => parts.some(part => part.kind === 'tool-call') || textOf(parts).trim() !== '',
  ValidJSON: isValid,
  NotRefusal: reply => !isRefusal(reply),
};

/** What the model said to the client: not its thinking, not its calls. */
export const textOf = (parts: readonly AssistantPart[]): string =>
  parts.map(part => (part.kind === 'text' || part.kind === 'refusal' ? part.text : '')).join('');

/** Calls have arguments that their tools take, and text is the JSON that was asked for. Where none was asked for, any text will do. */
function isValid({ parts }: ChatReply, { output, tools }: Asked, fits: Fits): boolean {
  const calls = parts.filter((part): part is ToolCallPart => part.kind === 'tool-call');
  const areSound = calls.every(call => {
    const tool = tools.find(({ name }) => name === call.name);
    return tool !== undefined && isJson(call.arguments || '{}', tool.parameters, fits);
  });
  if (!areSound) return false;
  if (!output || calls.length > 0) return true;
  return isJson(textOf(parts), output.kind === 'json-schema' ? output.schema : { type: 'object' }, fits);
}

function isJson(text: string, schema: Readonly<Record<string, unknown>> | undefined, fits: Fits): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return schema === undefined || fits(schema, value);
  } catch {
    return false;
  }
}

/** How models of today refuse in English: perhaps an apology, then that they cannot or will not, and what. */
const APOLOGY = `(?:(?:i'm|i am) (?:so |very |really )?sorry|i apologi[sz]e|sorry|unfortunately|as an ai(?: [a-z]+){0,3})[,.:;]? ?(?:but )?`;
const CANNOT = `i(?: can't| cannot| can not| won't| will not| must decline to|(?:'m| am) (?:unable|not able) to)`;
const ACTS =
  'assist|help|provide|comply|fulfil|answer|respond|do that|continue|engage|discuss|complete|create|generate|write|share|support';
const REFUSAL = new RegExp(`^(?:${APOLOGY})?${CANNOT} (?:${ACTS})`);
const REFUSAL_LENGTH = 200;

function isRefusal({ parts, finish }: ChatReply): boolean {
  if (finish.reason === 'refusal' || finish.reason === 'content-filter') return true;
  if (parts.some(part => part.kind === 'refusal')) return true;
  if (parts.some(part => part.kind === 'tool-call')) return false;
  return REFUSAL.test(textOf(parts).trimStart().slice(0, REFUSAL_LENGTH).toLowerCase().replaceAll('’', "'"));
}

/** As the provider counted them, or about four characters each. */
const outputTokens = ({ usage, parts }: ChatReply): number => usage?.output ?? Math.ceil(textOf(parts).length / 4);

/** The geometric mean of the probabilities of an answer's tokens, 0..1; undefined where the provider does not tell them. */
export function confidenceOf(logprobs: Logprobs | undefined): number | undefined {
  const content = logprobs?.content;
  if (!Array.isArray(content)) return undefined;
  let sum = 0;
  let count = 0;
  for (const token of content) {
    const { logprob } = (token ?? {}) as { logprob?: unknown };
    if (typeof logprob !== 'number' || Number.isNaN(logprob)) continue;
    sum += Math.min(0, logprob);
    count++;
  }
  return count === 0 ? undefined : Math.exp(sum / count);
}
