// Any request in the neutral form, for properties of what is made of it.
import fc from 'fast-check';
import type { ChatRequest, Message, OutputFormat, Tool, UserPart } from '#core/chat/request.ts';
import { tokens } from '#core/units.ts';

const word = fc.stringMatching(/^[a-zé😀]{1,8}$/u);
const name = fc.stringMatching(/^[a-z_]{1,8}$/);
const text = word.map(said => ({ kind: 'text' as const, text: said }));
const base64 = fc.uint8Array({ minLength: 1, maxLength: 12 }).map(bytes => Buffer.from(bytes).toString('base64'));
const image = fc.record(
  {
    kind: fc.constant('image' as const),
    source: fc.oneof(
      fc.record({ kind: fc.constant('base64' as const), mediaType: fc.constantFrom('image/png', 'image/tiff'), data: base64 }),
      fc.constant({ kind: 'url' as const, url: 'https://images.test/1.png' }),
    ),
    detail: fc.constantFrom('auto', 'high'),
  },
  { requiredKeys: ['kind', 'source'] },
);
const document = fc.record(
  {
    kind: fc.constant('document' as const),
    source: fc.oneof(
      fc.record({ kind: fc.constant('base64' as const), mediaType: fc.constant('application/pdf'), data: base64 }),
      word.map(said => ({ kind: 'text' as const, text: said })),
    ),
    title: word,
    context: word,
    citations: fc.boolean(),
  },
  { requiredKeys: ['kind', 'source'] },
);
const audio = fc.record({ kind: fc.constant('audio' as const), format: fc.constant('wav'), data: base64 });
const userPart: fc.Arbitrary<UserPart> = fc.oneof(text, text, image, document, audio);

const schema = fc.constantFrom(
  { type: 'object', properties: { q: { type: 'string' } }, required: ['q'], additionalProperties: false },
  { type: 'object', properties: {}, required: [], additionalProperties: false },
);
const tool: fc.Arbitrary<Tool> = fc.record(
  { name, description: word, parameters: schema, strict: fc.boolean() },
  { requiredKeys: ['name', 'parameters'] },
);
const output: fc.Arbitrary<OutputFormat> = fc.oneof(
  fc.constant({ kind: 'json-object' as const }),
  fc.record(
    { kind: fc.constant('json-schema' as const), name, description: word, schema, strict: fc.constant(true) },
    { requiredKeys: ['kind', 'name', 'schema', 'strict'] },
  ),
);

/** A turn of the assistant with its calls, each answered at once. */
const assistantTurn = fc
  .record({
    said: fc.array(
      fc.oneof(
        text,
        text,
        word.map(no => ({ kind: 'refusal' as const, text: no })),
      ),
      { maxLength: 2 },
    ),
    calls: fc.array(fc.record({ called: name, input: fc.dictionary(name, fc.oneof(word, fc.integer())) }), { maxLength: 2 }),
    results: fc.array(fc.array(text, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 2 }),
    errors: fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
    called: fc.option(name, { nil: undefined }),
  })
  .filter(({ said, calls }) => said.length + calls.length > 0)
  .map(({ said, calls, results, errors, called }): Message[] => [
    {
      role: 'assistant',
      content: [
        ...said,
        ...calls.map((call, i) => ({
          kind: 'tool-call' as const,
          id: `call_${i}`,
          name: call.called,
          arguments: JSON.stringify(call.input),
        })),
      ],
      ...(called !== undefined && { name: called }),
    },
    ...calls.map(
      (_, i): Message => ({ role: 'tool', callId: `call_${i}`, content: results[i]!, ...(errors[i] && { isError: true }) }),
    ),
  ]);
const userTurn = fc
  .record({ content: fc.array(userPart, { minLength: 1, maxLength: 3 }), name: fc.option(name, { nil: undefined }) })
  .map(({ content, name: who }): Message[] => [{ role: 'user', content, ...(who !== undefined && { name: who }) }]);
const systemTurn = fc.array(text, { minLength: 1, maxLength: 2 }).map((content): Message[] => [{ role: 'system', content }]);
/** Ends with a user: whether an unfinished turn may be continued differs from model to model. */
const messages = fc
  .tuple(systemTurn, fc.array(fc.oneof(systemTurn, userTurn, assistantTurn), { maxLength: 5 }), text)
  .map(([system, turns, last]): Message[] => [
    ...system,
    ...turns.flat(),
    // The word without which OpenAI gives no JSON.
    { role: 'user', content: [{ ...last, text: `${last.text} json` }] },
  ]);

/** Tools are offered always, and every call of the history is answered. */
export const anyRequest: fc.Arbitrary<ChatRequest> = fc
  .record(
    {
      dialect: fc.constant('openai-chat' as const),
      model: fc.constant('public'),
      messages,
      tools: fc.uniqueArray(tool, { selector: ({ name: unique }) => unique, minLength: 1, maxLength: 2 }),
      toolChoice: fc.constantFrom({ kind: 'auto' as const }, { kind: 'none' as const }, { kind: 'required' as const }),
      parallelToolCalls: fc.boolean(),
      output,
      sampling: fc.record(
        {
          temperature: fc.constantFrom(0, 0.5, 1, 1.5),
          topP: fc.constantFrom(0.5, 1),
          topK: fc.integer({ min: 1, max: 50 }),
          frequencyPenalty: fc.constantFrom(0.5),
          presencePenalty: fc.constantFrom(0.5),
          seed: fc.nat(),
        },
        { requiredKeys: [] },
      ),
      maxOutputTokens: fc.integer({ min: 1, max: 4096 }).map(tokens),
      stop: fc.array(word, { maxLength: 6 }),
      logprobs: fc.record({ top: fc.nat(5) }),
      stream: fc.boolean(),
      user: name,
      extra: fc.dictionary(fc.constantFrom('future_field', 'other_field'), fc.constant(1), { maxKeys: 2 }),
    },
    { requiredKeys: ['dialect', 'model', 'messages', 'tools', 'sampling', 'stop', 'stream', 'extra'] },
  )
  .map(request => request as ChatRequest);
