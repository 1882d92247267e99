// Legacy completions: one text in, one text out.
import assert from 'node:assert/strict';
import { type Answer, type Ask, type Client, type Finish, type Json, textOf } from '../ask.ts';
import { chunksIn, readError, usageOf } from './openai-chat.ts';

export const openAICompletions: Client = {
  dialect: 'openai-completions',
  lacks: new Set([
    'system',
    'marked',
    'tools',
    'choice',
    'parallel',
    'format',
    'thinking',
    'topK',
    'image',
    'image-url',
    'pdf',
    'plain',
    'wav',
    'turns',
    'count',
    'search',
  ]),
  write: ask => ({ path: '/v1/completions', body: bodyOf(ask) }),
  readWhole: ({ choices, usage }) => answerOf(choices, usage),
  readStream,
  readError,
};

function bodyOf(ask: Ask): Json {
  const [turn] = ask.turns;
  assert.ok(turn && 'user' in turn);
  return {
    model: ask.model,
    prompt: ask.prompts ?? textOf(turn.user as Json),
    stream: ask.stream,
    stream_options: ask.stream && { include_usage: true },
    // Its own default is 16.
    max_tokens: ask.maxTokens ?? 500,
    stop: ask.stop,
    temperature: ask.temperature,
    top_p: ask.topP,
    seed: ask.seed,
    frequency_penalty: ask.penalties,
    presence_penalty: ask.penalties,
    logprobs: ask.logprobs && 1,
    n: ask.n,
    user: ask.user,
  };
}

const finishes: Readonly<Record<string, Finish>> = { stop: 'stop', length: 'length', content_filter: 'filtered' };

function answerOf(choices: Json[], usage: Json): Answer {
  const [{ text, finish_reason, logprobs }] = choices as [Json];
  return {
    text,
    thinking: '',
    refusal: '',
    calls: [],
    finish: finishes[finish_reason],
    usage: usageOf(usage),
    choices: choices.length,
    hasLogprobs: Boolean(logprobs),
    citations: [],
    turn: undefined,
  };
}

function readStream(bytes: Buffer): Answer {
  const choices: Json[] = [];
  let usage: Json;
  for (const chunk of chunksIn(bytes)) {
    usage = chunk.usage ?? usage;
    for (const { index, text, finish_reason } of chunk.choices) {
      choices[index] ??= { text: '', finish_reason: null };
      choices[index].text += text;
      choices[index].finish_reason ??= finish_reason;
    }
  }
  return answerOf(choices, usage);
}
