// Any request, encoded for the models of Google: what comes out is shown to the simulator, which refuses what Google would; what cannot be
// said there is named; and the frontend of the dialect reads back what was said.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { signedBy, UNSIGNED } from '#core/chat/foreign.ts';
import type { AssistantPart, ChatRequest, Message, ThinkingRequest } from '#core/chat/request.ts';
import { scanObject } from '#core/json/scan.ts';
import { tokens } from '#core/units.ts';
import { gemini as frontendFor } from '#dataplane/frontends/gemini/index.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { targetOf, VERTEX } from '#dataplane/providers/gemini/testing.ts';
import { geminiInvalid } from '#simulator/wires/gemini-validate.ts';
import { anyRequest } from '#test/support/any-request.ts';
import { encodedBy } from '#test/support/encoded.ts';
import { valueIn } from '#test/support/parsed.ts';

type Choice = NonNullable<Parameters<typeof targetOf>[0]>;

const encodedFor = (choice: Choice, request: ChatRequest) =>
  encodedBy(generateContent, request, dropUnsupported => targetOf({ ...choice, dropUnsupported }));

const thinking: fc.Arbitrary<ThinkingRequest> = fc.constantFrom<ThinkingRequest>(
  { kind: 'disabled' },
  { kind: 'budget', tokens: tokens(2048) },
  { kind: 'budget', tokens: tokens(100_000) },
  { kind: 'effort', effort: 'minimal' },
  { kind: 'effort', effort: 'high' },
  { kind: 'effort', effort: 'max' },
  { kind: 'adaptive' },
);

/** Histories bring thinking of several makers with them. */
const request: fc.Arbitrary<ChatRequest> = fc
  .tuple(anyRequest, fc.option(thinking, { nil: undefined }))
  .map(([base, thought]) => ({ ...base, ...(thought && { thinking: thought }), messages: base.messages.map(withHistory) }));

function withHistory(message: Message): Message {
  if (message.role !== 'assistant') return message;
  const thoughts: AssistantPart[] = [
    { kind: 'thinking', text: 'hm', signature: 'EqQB' },
    { kind: 'thinking', text: 'mm', signature: signedBy('openai', 'x') },
    { kind: 'thinking', text: 'mh', signature: UNSIGNED },
    { kind: 'redacted-thinking', data: 'sealed' },
  ];
  return { ...message, content: [...thoughts, ...message.content] };
}

/** What of a conversation another dialect can tell: texts of neighbours run together, results are texts. */
function told({ messages }: ChatRequest): unknown {
  const texts = (role: Message['role']) =>
    messages
      .filter(message => message.role === role)
      .flatMap(({ content }) => content.flatMap(part => ('text' in part && part.kind !== 'thinking' ? [part.text] : [])));
  const calls = messages.flatMap(message =>
    message.role === 'assistant'
      ? message.content.flatMap(part =>
          part.kind === 'tool-call' ? [[part.id, part.name, JSON.parse(part.arguments || '{}')]] : [],
        )
      : [],
  );
  const results = messages.flatMap(message => (message.role === 'tool' ? [[message.callId, message.isError === true]] : []));
  const all = (role: Message['role']) => texts(role).join('');
  return {
    // Where there is no place for a system prompt, it stands before the user's first words.
    asked: all('system') + all('user'),
    answered: all('assistant'),
    calls: calls.map(([, ...call]) => call),
    results: results.map(([, failed]) => failed),
  };
}

const modelsOf: readonly Choice[] = [
  { upstreamName: 'gemini-4-argon' },
  { upstreamName: 'gemini-3.8-flash' },
  { upstreamName: 'gemini-3.1-pro-preview', vertex: VERTEX },
  { upstreamName: 'gemini-2.5-pro' },
  { upstreamName: 'gemini-2.5-flash', vertex: VERTEX },
  { upstreamName: 'gemini-2.0-flash' },
  { upstreamName: 'gemma-3-27b-it' },
];

describe('any request', () => {
  for (const choice of modelsOf) {
    const platform = choice.vertex ? 'vertex' : 'gemini';
    test(`for ${choice.upstreamName} at ${platform} is taken, but for what is named, and reads back as it was`, () => {
      fc.assert(
        fc.property(request, asked => {
          const { body } = encodedFor(choice, asked);
          assert.equal(geminiInvalid(body, choice.upstreamName!, platform), undefined);
          const view = valueIn(scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 128, interpreted: new Set(), isUtf8 }));
          const frontend = frontendFor({ model: 'public', stream: asked.stream });
          valueIn(frontend.inspect(view));
          const again = valueIn(frontend.decode(view));
          assert.deepEqual(told(again), told(asked));
          assert.deepEqual(
            again.tools.map(({ name }) => name),
            asked.toolChoice?.kind === 'tool' ? [asked.toolChoice.name] : asked.tools.map(({ name }) => name),
          );
          assert.equal(again.maxOutputTokens, asked.maxOutputTokens);
        }),
      );
    });
  }
});
