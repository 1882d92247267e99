import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatReply, FinishReason } from '../chat/reply.ts';
import type { AssistantPart } from '../chat/request.ts';
import { isKeepable } from './keepable.ts';

const text: AssistantPart = { kind: 'text', text: 'Paris.' };
const call: AssistantPart = { kind: 'tool-call', id: 'c', name: 'f', arguments: '{}' };
const said = (reason: FinishReason, ...parts: AssistantPart[]): ChatReply => ({ id: 'i', model: 'm', parts, finish: { reason } });

const rows: readonly (readonly [says: string, reply: ChatReply, plain: boolean, withCalls: boolean])[] = [
  ['a whole answer', said('stop', text), true, true],
  ['one that ended at a stop sequence', said('stop-sequence', text), true, true],
  ['one that thought before it spoke', said('stop', { kind: 'thinking', text: 'Hm.' }, text), true, true],
  ['one that was cut short', said('length', text), false, false],
  ['one that filled the context', said('context-length', text), false, false],
  ['one that was filtered', said('content-filter', text), false, false],
  ['one that was refused', said('refusal', text), false, false],
  ['one with a refusal in it', said('stop', { kind: 'refusal', text: 'No.' }), false, false],
  ['one that was paused', said('pause', text), false, false],
  ['one whose end is not told', { ...said('stop', text), finish: { reason: 'stop', isAssumed: true } }, false, false],
  ['one that says nothing', said('stop'), false, false],
  ['one of an empty text', said('stop', { kind: 'text', text: '' }), false, false],
  ['one of thoughts alone', said('stop', { kind: 'thinking', text: 'Hm.' }), false, false],
  ['a call of a tool', said('tool-calls', call), false, true],
  ['a call beside a text', said('tool-calls', text, call), false, true],
  ['a call whose provider says stop', said('stop', call), false, true],
  ['a call that was cut short', said('length', call), false, false],
  ['no call, although the reason says so', said('tool-calls', text), false, false],
];

for (const [says, reply, plain, withCalls] of rows)
  test(`${says} is ${plain ? '' : 'not '}kept${plain === withCalls ? '' : ', unless the route keeps calls'}`, () => {
    assert.equal(isKeepable(reply, { toolCalls: false }), plain);
    assert.equal(isKeepable(reply, { toolCalls: true }), withCalls);
  });
