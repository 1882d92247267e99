// vLLM's variant of the OpenAI wire, by recordings of vLLM 0.32.0: more nulls, no credential, errors of its own, thinking that is shown.
import { generatedTokens } from '../answer.ts';
import { isRecord, type Json } from '../shape.ts';
import { promptTotal } from '../tokens.ts';
import { openaiAsk, openaiFrames, openaiWhole, type Style } from './openai.ts';
import { vllmError, vllmTrouble } from './vllm-errors.ts';
import { maxModelLength, vllmInvalid } from './vllm-validate.ts';
import { bearer, type Frame, type Reply, type Wire } from './wire.ts';

export const vllm: Wire = {
  name: 'vllm',
  credential: bearer,
  needsCredential: false,
  missingCredential: '',
  answersFiltered: false,
  read: body => {
    const refusal = vllmInvalid(body);
    if (refusal) return { ok: false, refusal };
    const ask = openaiAsk(body as Json);
    const kwargs = (body as Json).chat_template_kwargs;
    return { ok: true, ask: { ...ask, thinks: ask.thinks || (isRecord(kwargs) && kwargs.enable_thinking === true) } };
  },
  badJson: text =>
    vllmError(
      400,
      `1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.${text.length}', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting value'}}`,
      'Bad Request',
      `body.${text.length}`,
    ),
  trouble: vllmTrouble,
  refuse: (status, message) =>
    status === 404 || status === 405
      ? { status, body: { detail: status === 404 ? 'Not Found' : 'Method Not Allowed' } }
      : vllmError(status, message),
  whole: reply => openaiWhole(reply, style),
  frames: reply => openaiFrames(reply, style),
  errorFrame: () => ({ kind: 'content', tokens: 0, data: JSON.stringify(vllmTrouble('server-error', '').body) }),
  ping: ': ping\n\n',
  headers: () => ({ server: 'uvicorn', vary: 'Origin' }),
  models: (created, names) => ({
    object: 'list',
    data: names.map(id => ({
      id,
      object: 'model',
      created,
      owned_by: 'vllm',
      root: `./${id}`,
      parent: null,
      max_model_len: maxModelLength,
      permission: [],
    })),
  }),
};

const fingerprint = 'vllm-0.32.0-simulated';

const style: Style = {
  fingerprint,
  callId: call => `chatcmpl-tool-${call.id.slice(0, 16)}`,
  reasoning: (text, reply) => ({ [reply.oldReasoningField ? 'reasoning_content' : 'reasoning']: text }),
  message: { refusal: null, annotations: null, audio: null, function_call: null, reasoning: null },
  cites: false,
  choice: answer => ({ stop_reason: answer.stopSequence ?? null, token_ids: null }),
  envelope: () => ({
    service_tier: null,
    prompt_logprobs: null,
    prompt_token_ids: null,
    prompt_text: null,
    kv_transfer_params: null,
  }),
  frameChoice: kind => (kind === 'content' ? { token_ids: null } : {}),
  frameEnvelope: kind => frameEnvelopes[kind] ?? {},
  startDelta: { role: 'assistant', content: '' },
  finishesWithContent: true,
  usage: vllmUsage,
};

const frameEnvelopes: Partial<Record<Frame['kind'], Record<string, unknown>>> = {
  bare: { prompt_token_ids: null, prompt_text: null },
  usage: { system_fingerprint: fingerprint },
};

/** Whole replies show absent details as null, streams leave them out. */
function vllmUsage(reply: Reply): Record<string, unknown> {
  const times = reply.usage === 'doubled' ? 2 : 1;
  const prompt = promptTotal(reply.ask.usage) * times;
  const completion = reply.answers.reduce((total, answer) => total + generatedTokens(answer), 0) * times;
  return {
    prompt_tokens: prompt,
    total_tokens: prompt + completion,
    completion_tokens: completion,
    ...(!reply.ask.stream && { prompt_tokens_details: null, completion_tokens_details: null }),
    ...(reply.ask.usage.cacheRead > 0 && { prompt_tokens_details: { cached_tokens: reply.ask.usage.cacheRead * times } }),
  };
}
