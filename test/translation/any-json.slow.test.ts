// Whatever JSON a cloud sends: its wire never throws, and what it makes of it keeps the order that neutral events have (`ChatEvent`), so that
// every client's dialect can write it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatEvent } from '#core/chat/reply.ts';
import { bedrockConverse } from '#dataplane/frontends/bedrock-converse/index.ts';
import { gemini } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { encodedFor, eventsOf } from '#test/support/decoding.ts';

const clients = [openAIChat, gemini({ model: 'm', stream: true }), bedrockConverse({ model: 'm', stream: true })];

/** Objects of these names, as deep as answers are. */
function anyOf(names: string): fc.Arbitrary<Record<string, unknown>> {
  const words = fc.constantFrom(
    '',
    'a',
    'STOP',
    'SAFETY',
    'MALFORMED_FUNCTION_CALL',
    'IMAGE',
    'tool_use',
    'end_turn',
    '$.a[0].b',
    'AAAA',
  );
  const leaf = fc.oneof(fc.string(), words, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
  const name = fc.constantFrom(...names.split(' '));
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(name, tie('tree'), { maxKeys: 5 }),
    ),
  }));
  return fc.dictionary(name, tree!, { maxKeys: 6 });
}

/** One part after the other, and an end. */
function assertInOrder(events: readonly ChatEvent[]): void {
  let isOpen = false;
  for (const { kind } of events) {
    if (kind.endsWith('-start') || kind === 'redacted-thinking') assert.ok(!isOpen, `${kind} inside of a part`);
    if (kind.endsWith('-delta') || kind === 'thinking-signature' || kind === 'part-end')
      assert.ok(isOpen, `${kind} outside of a part`);
    if (kind.endsWith('-start')) isOpen = true;
    if (kind === 'part-end') isOpen = false;
  }
  assert.match(events.at(-1)!.kind, /^(?:end|error)$/);
}

const parts = anyOf(
  'text thought thoughtSignature functionCall name id args partialArgs jsonPath stringValue numberValue willContinue inlineData mimeType data executableCode __proto__',
);
const about = anyOf(
  'promptTokenCount candidatesTokenCount thoughtsTokenCount totalTokenCount candidatesTokensDetails modality tokenCount blockReason code status message',
);
const candidate = fc.record(
  {
    content: fc.record({ parts: fc.array(parts, { maxLength: 4 }) }),
    finishReason: fc.constantFrom('STOP', 'MAX_TOKENS', 'OTHER', 'MALFORMED_FUNCTION_CALL', 7),
    index: fc.constantFrom(0, 1, 'x'),
    groundingMetadata: anyOf('groundingSupports groundingChunks segment startIndex endIndex web uri title groundingChunkIndices'),
    logprobsResult: anyOf('chosenCandidates topCandidates candidates token logProbability'),
  },
  { requiredKeys: [] },
);
const googles = fc.record(
  { candidates: fc.array(candidate, { maxLength: 2 }), usageMetadata: about, promptFeedback: about, responseId: fc.string() },
  { requiredKeys: ['candidates'] },
);

const blocks = anyOf(
  'text toolUse toolUseId name input type reasoningContent reasoningText signature redactedContent citation citationsContent image source location',
);
const event = fc.record(
  {
    contentBlockIndex: fc.constantFrom(0, 1),
    start: blocks,
    delta: blocks,
    stopReason: fc.constantFrom('end_turn', 'malformed_tool_use', 'x', 1),
    usage: anyOf('inputTokens outputTokens cacheDetails ttl'),
  },
  { requiredKeys: [] },
);
const frames =
  'messageStart contentBlockStart contentBlockDelta contentBlockDelta contentBlockStop messageStop metadata throttlingException error constructor'.split(
    ' ',
  );
const amazons = fc.tuple(fc.constantFrom(...frames), event);

describe('any JSON', () => {
  test("in Google's frames and replies", () => {
    fc.assert(
      fc.property(fc.array(googles, { maxLength: 4 }), answers => {
        const events = eventsOf(
          generateContent,
          answers.map(answer => ({ event: '', data: JSON.stringify(answer) })),
        );
        assertInOrder(events);
        for (const client of clients) encodedFor(client, events);
        for (const answer of answers) {
          generateContent.decodeReply(answer);
          generateContent.inspectReply(answer);
          generateContent.leavesOut(answer);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("in Bedrock's frames and replies", () => {
    fc.assert(
      fc.property(fc.array(amazons, { maxLength: 12 }), fc.array(blocks, { maxLength: 4 }), (messages, content) => {
        const events = eventsOf(
          converse,
          messages.map(([name, data]) => ({ event: name, data: JSON.stringify(data) })),
        );
        assertInOrder(events);
        for (const client of clients) encodedFor(client, events);
        const reply = { output: { message: { content } }, stopReason: 'end_turn' };
        converse.decodeReply(reply);
        converse.inspectReply(reply);
        converse.leavesOut(reply);
      }),
      { numRuns: 1000 },
    );
  });
});
