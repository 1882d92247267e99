// Where a request may go that names what a provider keeps, what it is reserved for, and what of an answer is noted.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inputBound, noAttachments } from '#core/admission/bound.ts';
import type { Plan } from '#core/plan/plan.ts';
import { tokens } from '#core/units.ts';
import type { Envelope } from './frontends/index.ts';
import { Keeping } from './keeping.ts';
import { carriedBy, pinOf, planAt } from './pinned.ts';
import { memoryPins } from './pins/memory.ts';
import type { Prepared } from './prepare.ts';
import { anthropic } from './providers/anthropic/index.ts';
import { openAI, responsesWire } from './providers/openai/index.ts';

const named = (...ids: string[]) =>
  ({ names: ids.map((id, i) => ({ kind: 'item', id, param: `input[${i}].id` })) }) as unknown as Envelope;
const item = (id: string, count?: number) => ({ kind: 'item', id, ...(count !== undefined && { tokens: count }) });
const one = { provider: 'default/one', endpoint: 'http://10.0.0.1' };

describe('a request that names what is kept', () => {
  test('goes to where all of it is, and reads the tokens of all', async () => {
    const pins = memoryPins({ now: () => 0 });
    await pins.keep('t', [item('a', 10), item('b', 5)], one);
    const pin = await pinOf(named('a', 'b'), 't', pins);
    assert.deepEqual(pin.ok && pin.value, { ...one, tokens: 15 });
  });

  test('reads nobody knows how much where one of it is not counted', async () => {
    const pins = memoryPins({ now: () => 0 });
    await pins.keep('t', [item('a', 10), item('b')], one);
    const pin = await pinOf(named('a', 'b'), 't', pins);
    assert.ok(pin.ok && pin.value);
    assert.equal(carriedBy({ envelope: {} as Envelope, pin: pin.value }), 'unknown');
  });

  test('is refused where it is at two places, gone, or not known now', async () => {
    const pins = memoryPins({ now: () => 0 });
    await pins.keep('t', [item('a')], one);
    await pins.keep('t', [item('b')], { ...one, endpoint: 'http://10.0.0.2' });
    const refusal = async (envelope: Envelope, from: Pick<typeof pins, 'find'> = pins) => {
      const pin = await pinOf(envelope, 't', { ...pins, ...from });
      return pin.ok ? undefined : [pin.failure.class, pin.failure.param];
    };
    assert.deepEqual(await refusal(named('a', 'b')), ['invalid_request', 'input[1].id']);
    assert.deepEqual(await refusal(named('a', 'c')), ['not_found', 'input[1].id']);
    assert.deepEqual(await refusal(named('a'), { find: async () => 'away' }), ['store_unavailable', undefined]);
    assert.equal(await refusal({} as Envelope), undefined);
  });

  test('has a plan of that provider alone, or none', () => {
    const plan = {
      candidates: ['default/two', 'default/one', 'default/one'].map(id => ({ provider: { id } })),
    } as unknown as Plan;
    const here = planAt(plan, one, named('a'));
    assert.deepEqual(here.ok && here.value.candidates.map(({ provider }) => provider.id), ['default/one', 'default/one']);
    const nowhere = planAt(plan, { provider: 'default/three' }, named('a'));
    assert.deepEqual(nowhere.ok ? '' : [nowhere.failure.class, nowhere.failure.param], ['invalid_request', 'input[0].id']);
    const anywhere = planAt(plan, undefined, {} as Envelope);
    assert.equal(anywhere.ok && anywhere.value, plan);
  });

  test('is reserved for as many tokens as it reads, or for all that the model takes', () => {
    const facts = { bytes: 100, attachments: noAttachments, tools: false };
    assert.equal(inputBound({ ...facts, carried: 5000 }, {}), 5100);
    assert.equal(inputBound({ ...facts, carried: 'unknown' }, { contextWindow: tokens(128_000) }), 128_000);
    assert.ok(inputBound({ ...facts, carried: 'unknown' }, {}) >= 1_000_000);
    assert.equal(carriedBy({ envelope: { readsMore: true } as Envelope, pin: { ...one, tokens: 5 } }), 'unknown');
    assert.equal(carriedBy({ envelope: {} as Envelope }), undefined);
  });
});

describe('of an answer is noted', () => {
  const chat = responsesWire({} as Parameters<typeof responsesWire>[0], 'own', () => ({ origin: '', path: '', headers: {} }));
  const usage = { input_tokens: 20, output_tokens: 7 };
  const response = { id: 'resp_1', object: 'response', output: [{ type: 'message', id: 'msg_1' }], usage };
  const keys = [{ kind: 'response', id: 'resp_1' }, item('msg_1')];
  const keeping = () => {
    const pins = memoryPins({ now: () => 0 });
    return { pins, keeping: new Keeping(pins, 't', one) };
  };

  test('what a whole reply says', async () => {
    const { pins, keeping: noting } = keeping();
    const prepared = { chat, read: () => ({ ok: false }), relay: undefined } as unknown as Prepared;
    noting.at(prepared).read(Buffer.from(JSON.stringify(response)), {});
    await noting.written();
    assert.deepEqual(await pins.find('t', keys), [
      { ...one, tokens: 27 },
      { ...one, tokens: 7 },
    ]);
    assert.deepEqual(await pins.find('other', keys), [undefined, undefined]);
  });

  test('what a stream has told until it ends, its first event at once', async () => {
    const { pins, keeping: noting } = keeping();
    const relay = { push: () => undefined } as unknown as NonNullable<Prepared['relay']>;
    const { push } = noting.at({ chat, relay } as unknown as Prepared).relay!;
    const frame = (event: object) => Buffer.from(`data: ${JSON.stringify(event)}\n\n`);
    push(frame({ type: 'response.created', response: { ...response, output: [], usage: null } }));
    assert.deepEqual(await pins.find('t', keys), [one, undefined]);
    push(frame({ type: 'response.output_text.delta', item_id: 'msg_9', delta: 'x' }));
    push(frame({ type: 'response.completed', response }));
    await noting.written();
    assert.deepEqual(await pins.find('t', [...keys, item('msg_9')]), [{ ...one, tokens: 27 }, { ...one, tokens: 7 }, undefined]);
  });

  test('of each wire what its answers name: audio, containers, files that tools wrote', async () => {
    const telling = (wire: { readonly telling?: unknown }, json: object) => {
      const { keysIn, mark } = wire.telling as NonNullable<typeof openAI.telling>;
      assert.match(JSON.stringify(json), mark);
      return keysIn(json).map(({ kind, id }) => `${kind} ${id}`);
    };
    assert.deepEqual(telling(openAI, { choices: [{ message: { audio: { id: 'audio_1', data: '' } } }] }), ['audio audio_1']);
    assert.deepEqual(telling(openAI, { choices: [{ delta: { audio: { id: 'audio_1' } } }] }), ['audio audio_1']);
    const container = { id: 'container_1', expires_at: '' };
    const result = {
      type: 'bash_code_execution_tool_result',
      content: { type: 'bash_code_execution_result', content: [{ type: 'bash_code_execution_output', file_id: 'file_1' }] },
    };
    const forged = { type: 'tool_use', id: 'x', name: 'f', input: { content: [{ file_id: 'file_foreign' }] } };
    assert.deepEqual(telling(anthropic, { container, content: [forged, result] }), ['container container_1', 'file file_1']);
    assert.deepEqual(telling(anthropic, { type: 'message_delta', delta: { container } }), ['container container_1']);
    assert.deepEqual(telling(anthropic, { type: 'content_block_start', content_block: result }), ['file file_1']);
  });

  test('nothing of what is no answer', async () => {
    const { pins, keeping: noting } = keeping();
    const { read } = noting.at({ chat, read: () => ({ ok: false }) } as unknown as Prepared);
    for (const body of ['', '{', '[]', '{"error":{"message":"x"},"id":"resp_1"}', '{"id":7,"object":"response"}'])
      read(Buffer.from(body), {});
    await noting.written();
    assert.deepEqual(await pins.find('t', [keys[0]!]), [undefined]);
  });
});
