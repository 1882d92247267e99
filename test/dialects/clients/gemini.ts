// generateContent, as a client of Google's writes and reads it.
import assert from 'node:assert/strict';
import { messagesIn } from '#test/support/sse.ts';
import { type Answer, type Ask, type Cited, type Client, type Finish, type Json, type Part, type Turn, textOf } from '../ask.ts';

export const gemini: Client = {
  dialect: 'gemini',
  lacks: new Set(['marked', 'parallel', 'citations', 'user', 'prompts']),
  write: ask => ({
    path: `/v1beta/models/${ask.model}:${ask.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: bodyOf(ask),
  }),
  count: {
    write: ask => ({ path: `/v1beta/models/${ask.model}:countTokens`, body: { contents: ask.turns.map(contentOf) } }),
    read: ({ totalTokens }) => totalTokens,
  },
  readWhole: body => answerOf([body]),
  readStream: bytes => answerOf(messagesIn(bytes.toString()).map(({ data }) => JSON.parse(data))),
  readError,
};

function bodyOf(ask: Ask): Json {
  const { system, choice, format, thinking, logprobs, penalties } = ask;
  return {
    systemInstruction: system && { parts: [{ text: system }] },
    contents: ask.turns.map(contentOf),
    tools: toolsOf(ask),
    toolConfig: choice && { functionCallingConfig: choiceOf(choice) },
    generationConfig: {
      responseMimeType: format && 'application/json',
      responseJsonSchema: typeof format === 'object' ? format.schema : undefined,
      thinkingConfig: thinking && { includeThoughts: true, thinkingBudget: 2000 },
      maxOutputTokens: ask.maxTokens,
      stopSequences: ask.stop,
      temperature: ask.temperature,
      topP: ask.topP,
      topK: ask.topK,
      seed: ask.seed,
      frequencyPenalty: penalties,
      presencePenalty: penalties,
      responseLogprobs: logprobs,
      candidateCount: ask.n,
    },
  };
}

function toolsOf({ tools, search }: Ask): Json {
  if (search) return [{ googleSearch: {} }];
  return tools && [{ functionDeclarations: tools.map(({ name, parameters }) => ({ name, parametersJsonSchema: parameters })) }];
}

function choiceOf(choice: NonNullable<Ask['choice']>): Json {
  if (typeof choice === 'object') return { mode: 'ANY', allowedFunctionNames: [choice.tool] };
  return { mode: choice === 'required' ? 'ANY' : 'NONE' };
}

function contentOf(turn: Turn): Json {
  if ('answer' in turn) return { role: 'model', parts: turn.answer };
  if ('said' in turn) return { role: 'model', parts: [{ text: turn.said }] };
  if ('user' in turn) return { role: 'user', parts: turn.user.map(partOf) };
  const parts = turn.results.map(({ call: { id, name }, output, failed }) => ({
    functionResponse: { ...(id && { id }), name, response: failed ? { error: output } : { output } },
  }));
  return { role: 'user', parts };
}

function partOf(part: Part): Json {
  const inline = (mimeType: string, data: string) => ({ inlineData: { mimeType, data } });
  switch (part.kind) {
    case 'image':
      return inline('image/png', part.data);
    case 'image-url':
      return { fileData: { mimeType: 'image/png', fileUri: part.url } };
    case 'pdf':
      return inline('application/pdf', part.data);
    case 'plain':
      return inline('text/plain', Buffer.from(part.text).toString('base64'));
    case 'wav':
      return inline('audio/wav', part.data);
    case 'text':
      return { text: part.text };
  }
}

const finishes: Readonly<Record<string, Finish>> = { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'filtered' };

/** The parts of all chunks, one after the other. */
function answerOf(chunks: readonly Json[]): Answer {
  for (const chunk of chunks) assert.ok(!chunk.error, JSON.stringify(chunk));
  const candidates: Json[] = chunks.flatMap(chunk => chunk.candidates ?? []);
  const firsts = candidates.filter(({ index = 0 }) => index === 0);
  const parts: Json[] = firsts.flatMap(({ content }) => content?.parts ?? []);
  const usage = chunks.findLast(({ usageMetadata }) => usageMetadata)?.usageMetadata;
  const calls = parts.flatMap(({ functionCall: call }) =>
    call ? [{ id: call.id ?? '', name: call.name, arguments: call.args ?? {} }] : [],
  );
  const finish = finishes[firsts.findLast(({ finishReason }) => finishReason)?.finishReason];
  assert.ok(finish || chunks.some(({ promptFeedback }) => promptFeedback), 'it has no end');
  return {
    text: textOf(parts.filter(({ thought }) => !thought)),
    thinking: textOf(parts.filter(({ thought }) => thought)),
    refusal: '',
    calls,
    finish: finish === 'stop' && calls.length > 0 ? 'calls' : (finish ?? 'filtered'),
    usage: usage && {
      input: usage.promptTokenCount,
      cached: usage.cachedContentTokenCount ?? 0,
      output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    },
    choices: new Set(candidates.map(({ index = 0 }) => index)).size,
    hasLogprobs: firsts.some(({ logprobsResult }) => logprobsResult),
    citations: firsts.flatMap(({ content, groundingMetadata }) => citationsOf(groundingMetadata, content?.parts ?? [], parts)),
    turn: parts,
  };
}

/** Places count bytes: of a part, or of all pieces that a stream has brought. */
function citationsOf({ groundingChunks = [], groundingSupports = [] }: Json = {}, own: Json[], all: Json[]): Cited[] {
  return groundingSupports.flatMap(({ segment, groundingChunkIndices }: Json) => {
    const { partIndex = 0, startIndex = 0, endIndex, text } = segment;
    const whole =
      own.length > 1 || all.length === own.length ? own[partIndex].text : textOf(all.filter(({ thought }) => !thought));
    const words = Buffer.from(whole).subarray(startIndex, endIndex).toString();
    assert.equal(words, text);
    return groundingChunkIndices.map((index: number) => ({ source: groundingChunks[index].web.uri, words }));
  });
}

function readError({ error }: Json, status: number) {
  assert.equal(error.code, status);
  assert.ok(error.status && error.message, JSON.stringify(error));
  const { reason, metadata } = error.details[0];
  return { code: reason, param: metadata.param };
}
