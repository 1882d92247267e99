import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fold } from './fold.ts';
import type { ChatReply } from './reply.ts';
import type { AssistantPart } from './request.ts';
import { eventsOf } from './unfold.ts';
import { noUsage } from './usage.ts';

const text = fc.string();
const own = { noNullPrototype: true } as const;
const part: fc.Arbitrary<AssistantPart> = fc.oneof(
  text.map(text => ({ kind: 'text', text }) as const),
  text.map(
    text => ({ kind: 'text', text, citations: [{ source: { kind: 'url', url: text }, span: { start: 0, end: 1 } }] }) as const,
  ),
  text.map(text => ({ kind: 'refusal', text }) as const),
  text.map(data => ({ kind: 'redacted-thinking', data }) as const),
  fc.record({ kind: fc.constant('thinking' as const), text, signature: fc.string({ minLength: 1 }) }, own),
  text.map(text => ({ kind: 'thinking', text }) as const),
  fc.record({ kind: fc.constant('tool-call' as const), id: text, name: text, arguments: text }, own),
);

test('the stream of a reply folds to that reply', () => {
  fc.assert(
    fc.property(
      fc.record({ id: text, model: text, parts: fc.array(part) }, own),
      fc.constantFrom('stop', 'length', 'tool-calls'),
      fc.boolean(),
      (rest, reason, counted) => {
        const reply = { ...rest, finish: { reason }, ...(counted && { usage: noUsage }) } as ChatReply;
        assert.deepEqual(fold(eventsOf(reply)), { reply, complete: true });
      },
    ),
  );
});
