// What must hold for a client whose upstream's stream was cut somewhere, told apart from the
// gateway's own readers.
import assert from 'node:assert/strict';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import type { Delivered } from './attempts.ts';
import type { Wire } from './relays.ts';
import { isTerminated, type Message, messagesIn } from './sse.ts';

/** Beginnings of a stream: up to every byte of a short one, of a long one at about this many places and near its end. */
const CUTS_MAX = 400;
const END_BYTES = 250;

export function* cutsOf(bytes: Buffer, max = CUTS_MAX): Generator<Buffer> {
  const stride = bytes.length <= 4000 ? 1 : Math.ceil(bytes.length / max);
  for (let at = 0; at <= bytes.length; at += bytes.length - at < END_BYTES ? 1 : stride) yield bytes.subarray(0, at);
}

export function assertTruthful(wire: Wire, frontend: Frontend, sent: Buffer, { text, isEnded, result }: Delivered): void {
  const where = `after ${sent.length} bytes: …${sent.toString().slice(-60)}`;
  if (!isWholeIn(wire, sent.toString())) {
    assert.ok(result.kind === 'broken' || result.kind === 'refused', `${result.kind} ${where}`);
    assert.ok(!isEnded, where);
    const told = text + frontend.encodeStreamError(result.failure!, 'r-1');
    const messages = messagesIn(told);
    assert.ok(!messages.some(message => endsAnswer(frontend.dialect === 'openai-chat' ? 'openai' : 'anthropic', message)), where);
    assert.ok(JSON.parse(messages.at(-1)!.data).error.code, where);
    return;
  }
  if (result.kind === 'refused') return assert.equal(result.failure?.class, 'upstream_empty_answer', where);
  assert.equal(result.kind, 'answered', `${result.kind} ${where}`);
  assert.ok(isEnded && isTerminated(text), where);
  const messages = messagesIn(text);
  for (const { data } of messages) if (data !== '[DONE]') assert.doesNotThrow(() => JSON.parse(data), where);
  assert.equal(messagesIn(`${text}\n\n`).length, messages.length, `an open frame ${where}`);
}

/** Whether what has come so far is all of an answer. */
export const isWholeIn = (wire: Wire, text: string): boolean => messagesIn(text).some(message => endsAnswer(wire, message));

/** The wire's own word that the answer is over: a finish, or the terminator. */
function endsAnswer(wire: Wire, { data }: Message): boolean {
  if (data.trim() === '[DONE]') return true;
  const event = JSON.parse(data);
  if (wire === 'openai') return Boolean(event.choices?.[0]?.finish_reason);
  return event.type === 'message_stop' || Boolean(event.delta?.stop_reason);
}
