// The Responses wire read: pieces in any order, ends of all kinds, and what is no end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { decodeReply, inspectReply, leavesOut } from './decode-reply.ts';
import { streamDecoder } from './decode-stream.ts';

type Json = Record<string, unknown>;
const response = (fields: Json = {}) => ({ id: 'resp_1', object: 'response', model: 'gpt-5', output: [], ...fields });
const created = { type: 'response.created', response: response({ status: 'in_progress' }) };
const usage = {
  input_tokens: 10,
  input_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 3 },
};
const over = (status: string, fields: Json = {}) => ({
  type: `response.${status}`,
  response: response({ status, usage, ...fields }),
});
const text = (output_index: number, delta: string, content_index = 0) => ({
  type: 'response.output_text.delta',
  output_index,
  content_index,
  delta,
});
const call = (output_index: number, n: number) => ({
  type: 'response.output_item.added',
  output_index,
  item: { type: 'function_call', id: `fc_${n}`, call_id: `call_${n}`, name: `f${n}`, arguments: '' },
});
const args = (output_index: number, delta: string) => ({ type: 'response.function_call_arguments.delta', output_index, delta });
const done = (output_index: number, item: Json) => ({ type: 'response.output_item.done', output_index, item });

function eventsOf(...wire: readonly unknown[]): ChatEvent[] {
  const decoder = streamDecoder();
  return [...wire.flatMap(event => decoder.push({ event: '', data: JSON.stringify(event) })), ...decoder.close()];
}

describe('a stream', () => {
  test('ends at response.completed, with usage in disjoint classes', () => {
    const { reply, complete } = fold(eventsOf(created, text(0, 'Hel'), text(0, 'lo'), over('completed')));
    assert.ok(complete);
    assert.deepEqual(reply.parts, [{ kind: 'text', text: 'Hello' }]);
    const { inputUncached, cacheRead, cacheWrite5m, cacheWrite1h, output, reasoning } = reply.usage!;
    assert.deepEqual([inputUncached, cacheRead, cacheWrite5m, cacheWrite1h, output, reasoning], [4, 4, 2, 0, 7, 3]);
  });

  const ends: [sentence: string, end: unknown, finish: string | undefined, failure: string | undefined][] = [
    [
      'incomplete by its length',
      over('incomplete', { incomplete_details: { reason: 'max_output_tokens' } }),
      'length',
      undefined,
    ],
    [
      'incomplete by a filter',
      over('incomplete', { incomplete_details: { reason: 'content_filter' } }),
      'content-filter',
      undefined,
    ],
    [
      'incomplete for a reason that nobody knows',
      over('incomplete', { incomplete_details: { reason: 'tired' } }),
      'pause',
      undefined,
    ],
    ['failed', over('failed', { error: { code: 'server_error', message: 'Sorry.' } }), undefined, 'upstream_error'],
    [
      'failed by a limit',
      over('failed', { error: { code: 'rate_limit_exceeded', message: 'Later.' } }),
      undefined,
      'upstream_rate_limited',
    ],
    [
      'failed by its prompt',
      over('failed', { error: { code: 'invalid_prompt', message: 'No.' } }),
      undefined,
      'content_filtered',
    ],
    ['cancelled', over('cancelled'), undefined, 'upstream_error'],
    ['an error of the newer form', { type: 'error', code: 'server_error', message: 'Sorry.' }, undefined, 'upstream_error'],
    [
      'an error of the older form',
      { type: 'error', error: { type: 'rate_limit_error', message: 'Later.' } },
      undefined,
      'upstream_rate_limited',
    ],
    ['cut', { type: 'response.output_text.done', output_index: 0 }, undefined, 'upstream_stream_truncated'],
    ['completed without a response', { type: 'response.completed' }, undefined, 'upstream_bad_response'],
  ];
  for (const [sentence, end, finish, failure] of ends)
    test(`that is ${sentence}`, () => {
      const folded = fold(eventsOf(created, text(0, 'Hi'), end));
      assert.equal(folded.failure?.class, failure);
      assert.equal(folded.complete, finish !== undefined);
      if (finish) assert.equal(folded.reply.finish.reason, finish);
    });

  test('that is cut anywhere before its last event is never whole', () => {
    const wire = [created, call(0, 1), args(0, '{"a":1}'), done(0, {}), text(1, 'Hi'), over('completed')];
    for (let cut = 0; cut < wire.length; cut++) assert.equal(fold(eventsOf(...wire.slice(0, cut))).complete, false, String(cut));
  });

  test('means the same however its items are interleaved', () => {
    const lanes = [
      [call(0, 1), args(0, '{"a"'), args(0, ':1}'), done(0, { type: 'function_call' })],
      [call(1, 2), args(1, '{}'), done(1, { type: 'function_call' })],
      [text(2, 'To'), text(2, 'll'), { type: 'response.content_part.done', output_index: 2, content_index: 0 }],
    ];
    const inOrder = fold(eventsOf(created, ...lanes.flat(), over('completed')));
    const kinds = (parts: readonly { kind: string }[]) => parts.map(({ kind }) => kind).sort();
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], { minLength: 10 }), order => {
        const left = lanes.map(lane => [...lane]);
        const mixed = order.map(lane => left[lane]!.shift());
        const events = eventsOf(created, ...mixed, over('completed'));
        let open = false;
        for (const { kind } of events) {
          const begins = kind.endsWith('-start');
          assert.ok(!(begins && open));
          open ||= begins;
          if (kind === 'part-end') open = false;
        }
        const { reply, complete } = fold(events);
        assert.ok(complete);
        assert.deepEqual(kinds(reply.parts), kinds(inOrder.reply.parts));
        for (const part of inOrder.reply.parts)
          assert.ok(
            reply.parts.some(other => JSON.stringify(other) === JSON.stringify(part)),
            JSON.stringify(part),
          );
      }),
    );
  });

  test('whose items come whole says the same', () => {
    const message = {
      type: 'message',
      content: [
        { type: 'output_text', text: 'Hi' },
        { type: 'refusal', refusal: 'No' },
      ],
    };
    const reasoning = { type: 'reasoning', id: 'rs_1', summary: [{ text: 'a' }, { text: 'b' }], encrypted_content: 'gAAA' };
    const { reply } = fold(
      eventsOf(
        created,
        done(0, reasoning),
        done(1, message),
        done(2, { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }),
        over('completed'),
      ),
    );
    assert.deepEqual(reply.parts, [
      { kind: 'thinking', text: 'a\n\nb', signature: 'tollgate-signed.openai.rs_1.gAAA' },
      { kind: 'text', text: 'Hi' },
      { kind: 'refusal', text: 'No' },
      { kind: 'tool-call', id: 'c', name: 'f', arguments: '{}' },
    ]);
    assert.equal(reply.finish.reason, 'tool-calls');
  });

  test('in which a tool of the provider runs has begun, and says that it left something out', () => {
    const decoder = streamDecoder();
    const search = { type: 'response.output_item.added', output_index: 0, item: { type: 'web_search_call', id: 'ws_1' } };
    assert.deepEqual(decoder.push({ event: '', data: JSON.stringify(search) }), [{ kind: 'server-tool' }]);
    assert.equal(decoder.leftOut?.(), true);
  });

  test('has annotations where they come, once, in code points of their own text', () => {
    const annotation = { type: 'url_citation', start_index: 2, end_index: 5, url: 'https://a.test/', title: '' };
    const file = { type: 'file_citation', file_id: 'f', filename: 'F', index: 6 };
    const whole = (content_index: number, part: Json) => ({
      type: 'response.content_part.done',
      output_index: 0,
      content_index,
      part: { type: 'output_text', ...part },
    });
    const told = { type: 'response.output_text.annotation.added', output_index: 0, content_index: 1, annotation };
    const { parts } = fold(
      eventsOf(
        created,
        text(0, 'Zero.'),
        text(0, '😀 One', 1),
        told,
        text(0, '.', 1),
        whole(0, { text: 'Zero.', annotations: [] }),
        whole(1, { text: '😀 One.', annotations: [annotation, file] }),
        over('completed'),
      ),
    ).reply;
    assert.deepEqual(parts.at(-1), {
      kind: 'text',
      text: '😀 One.',
      citations: [
        { source: { kind: 'url', url: 'https://a.test/' }, span: { start: 3, end: 6 } },
        { source: { kind: 'file', id: 'f', name: 'F' }, span: { start: 7, end: 7 } },
      ],
    });
  });

  test('that holds back too much is refused', () => {
    const huge = 'x'.repeat(1 << 20);
    const wire = [created, call(0, 1), ...Array.from({ length: 10 }, () => text(1, huge))];
    assert.equal(fold(eventsOf(...wire)).failure?.class, 'upstream_bad_response');
  });

  test('of anything at all never throws', () => {
    const anyEvent = fc.record({
      type: fc.constantFrom(
        'response.created',
        'response.completed',
        'response.output_item.added',
        'response.output_item.done',
        'response.output_text.delta',
        'error',
        'x',
      ),
      item: fc.jsonValue(),
      response: fc.jsonValue(),
      output_index: fc.jsonValue(),
      delta: fc.jsonValue(),
      error: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            anyEvent.map(event => JSON.stringify(event)),
            fc.string(),
          ),
        ),
        data => {
          const decoder = streamDecoder();
          for (const piece of data) decoder.push({ event: '', data: piece });
          decoder.close();
        },
      ),
    );
  });
});

describe('a whole response', () => {
  const message = (content: unknown[]) => ({ type: 'message', content });
  test('says nothing only if there is neither a word, nor a call, nor a token', () => {
    const empty = (output: unknown[], tokens = 0) => {
      const facts = inspectReply(response({ status: 'completed', output, usage: { input_tokens: 1, output_tokens: tokens } }));
      return facts.ok && facts.value.empty;
    };
    assert.equal(empty([]), true);
    assert.equal(empty([message([])]), true);
    assert.equal(empty([{ type: 'reasoning', summary: [] }]), true);
    assert.equal(empty([], 3), false);
    assert.equal(empty([message([{ type: 'output_text', text: 'x' }])]), false);
    assert.equal(empty([{ type: 'web_search_call' }]), false);
  });

  test('that is worked on in the background is one, without usage', () => {
    const facts = inspectReply(response({ status: 'queued' }));
    assert.ok(facts.ok && !facts.value.empty && facts.value.usage === undefined);
  });

  test('that failed, or is none, is refused', () => {
    const failed = inspectReply(response({ status: 'failed', error: { code: 'server_error', message: 'x' } }));
    assert.equal(failed.ok ? '' : failed.failure.class, 'upstream_error');
    for (const body of [{}, [], null, 'x', { choices: [] }, { error: { message: 'x' } }])
      assert.equal(decodeReply(body).ok, false);
  });

  test('leaves out what has no neutral form: annotations that cite nothing, and items of tools', () => {
    const plain = message([{ type: 'output_text', text: 'x', annotations: [] }]);
    assert.equal(leavesOut(response({ status: 'completed', output: [plain] })), false);
    const cited = message([{ type: 'output_text', text: 'x', annotations: [{ type: 'url_citation' }] }]);
    for (const output of [[cited], [plain, { type: 'web_search_call' }]])
      assert.equal(leavesOut(response({ status: 'completed', output })), true);
  });
});
