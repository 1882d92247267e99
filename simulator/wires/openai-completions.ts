// The wire of 2020: a text that is gone on with, streamed and whole.
import { type Ask, requestDigest } from '../answer.ts';
import { tokenLogprobs } from '../logprobs.ts';
import { anything, flag, integer, type Json, list, mapOf, nullable, number, object, type Shape, text, textOr } from '../shape.ts';
import { countTokens, promptUsage } from '../tokens.ts';
import { openai, openaiUsage } from './openai.ts';
import { openaiProblem } from './openai-errors.ts';
import { type Frame, grouped, type Reply, type Wire } from './wire.ts';

const tokens = list(integer(0), { min: 1 });
const prompt: Shape = value =>
  Array.isArray(value) && typeof value[0] === 'number'
    ? tokens(value)
    : textOr(list(textOr(tokens), { min: 1, max: 2048 }))(value);

const request = object(
  { model: text({ min: 1 }), prompt },
  {
    best_of: nullable(integer(1, 20)),
    echo: nullable(flag),
    frequency_penalty: nullable(number(-2, 2)),
    logit_bias: nullable(mapOf(number(-100, 100), 300)),
    logprobs: nullable(integer(0, 5)),
    max_tokens: nullable(integer(0)),
    n: nullable(integer(1, 128)),
    presence_penalty: nullable(number(-2, 2)),
    seed: nullable(integer()),
    stop: nullable(textOr(list(text(), { max: 4 }))),
    stream: nullable(flag),
    stream_options: nullable(object({}, { include_usage: flag, include_obfuscation: flag })),
    suffix: nullable(text()),
    temperature: nullable(number(0, 2)),
    top_p: nullable(number(0, 1)),
    user: anything,
  },
);

type CompletionAsk = Ask & { readonly includeUsage: boolean; readonly logprobs: number | undefined };

export const openaiCompletions: Wire = {
  ...openai,
  read: body => {
    const problem = request(body);
    return problem ? { ok: false, refusal: openaiProblem(problem) } : { ok: true, ask: askOf(body as Json) };
  },
  whole: reply => ({
    ...envelope(reply),
    choices: reply.answers.map((answer, index) => ({
      index,
      text: answer.text.join(''),
      logprobs: logprobsOf(reply.ask, answer.text),
      finish_reason: finishOf(answer.finish),
    })),
    ...(reply.usage !== 'missing' && { usage: openaiUsage(reply) }),
  }),
  frames,
};

function askOf(body: Json): CompletionAsk {
  const prompts: unknown[] = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'number' ? body.prompt : [body.prompt];
  const said = prompts.map(one => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n');
  return {
    model: body.model,
    stream: body.stream === true,
    prompt: said,
    attachments: [],
    results: [],
    tools: [],
    toolChoice: 'none',
    parallel: true,
    format: 'text',
    thinks: false,
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    // "The default is 16."
    maxTokens: body.max_tokens ?? 16,
    choices: (body.n ?? 1) * prompts.length,
    usage: promptUsage([{ tokens: countTokens(said) }], false),
    digest: requestDigest(body),
    includeUsage: body.stream_options?.include_usage === true,
    logprobs: body.logprobs ?? undefined,
  };
}

const lengthOf = (tokens: readonly string[]): number => tokens.join('').length;

/** This wire has its own form for them: lists side by side. */
function logprobsOf(ask: Ask, tokens: readonly string[], begin = 0): unknown {
  const top = (ask as CompletionAsk).logprobs;
  if (top === undefined) return null;
  const list = tokenLogprobs(tokens, top);
  return {
    tokens,
    token_logprobs: list.map(({ logprob }) => logprob),
    top_logprobs: list.map(({ top_logprobs }) => Object.fromEntries(top_logprobs.map(({ token, logprob }) => [token, logprob]))),
    text_offset: tokens.map((_, at) => begin + lengthOf(tokens.slice(0, at))),
  };
}

const finishOf = (finish: string): string => (finish === 'length' ? 'length' : finish === 'filtered' ? 'content_filter' : 'stop');

const envelope = ({ ask, created }: Reply) => ({
  id: `cmpl-${ask.digest.slice(0, 29)}`,
  object: 'text_completion',
  created,
  model: ask.model,
});

function* frames(reply: Reply): Iterable<Frame> {
  const { includeUsage } = reply.ask as CompletionAsk;
  const frame = (kind: Frame['kind'], choices: readonly unknown[], count: number, usage: unknown = null): Frame => ({
    kind,
    tokens: count,
    data: JSON.stringify({ ...envelope(reply), choices, ...(includeUsage && { usage }) }),
  });
  for (const [index, answer] of reply.answers.entries()) {
    for (const { text: piece, tokens: count, from } of grouped(answer.text, reply.tokensPerFrame)) {
      const logprobs = logprobsOf(reply.ask, answer.text.slice(from, from + count), lengthOf(answer.text.slice(0, from)));
      yield frame('content', [{ index, text: piece, logprobs, finish_reason: null }], count);
    }
    yield frame('finish', [{ index, text: '', logprobs: null, finish_reason: finishOf(answer.finish) }], 0);
  }
  if (includeUsage && reply.usage !== 'missing') yield frame('usage', [], 0, openaiUsage(reply));
  yield { kind: 'end', tokens: 0, data: '[DONE]' };
}
