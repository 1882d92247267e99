import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatReply } from '../chat/reply.ts';
import type { AssistantPart, Tool } from '../chat/request.ts';
import { noUsage } from '../chat/usage.ts';
import { tokens } from '../units.ts';
import { type Accept, type Asked, confidenceOf, shortfallOf } from './accept.ts';

const reply = (said: string | readonly AssistantPart[], rest: Partial<ChatReply> = {}): ChatReply => ({
  id: 'r',
  model: 'm',
  parts: typeof said === 'string' ? [{ kind: 'text', text: said }] : said,
  finish: { reason: 'stop' },
  ...rest,
});
const call = (name: string, json: string): AssistantPart => ({ kind: 'tool-call', id: 'c', name, arguments: json });
const accept = (rest: Partial<Accept>): Accept => ({ rules: [], ...rest });
const plain: Asked = { tools: [] };
const person: Asked = { tools: [], output: { kind: 'json-schema', name: 'person', schema: { required: ['name'] } } };
/** A schema with `required` alone. */
const fits = ({ required = [] }: { required?: unknown }, value: unknown): boolean =>
  (required as string[]).every(name => Object.hasOwn(value as object, name));
const short = (answer: ChatReply, wanted: Partial<Accept>, asked = plain) => shortfallOf(answer, accept(wanted), asked, fits);

describe('an answer is accepted', () => {
  test('where nothing is asked of it', () => {
    assert.equal(short(reply(''), {}), undefined);
  });

  test('as not empty where it says something or calls a tool; white space and thinking say nothing', () => {
    const rules: Accept['rules'] = ['NonEmpty'];
    assert.equal(short(reply('x'), { rules }), undefined);
    assert.equal(short(reply([call('f', '{}')]), { rules }), undefined);
    assert.equal(short(reply(' \n'), { rules }), 'NonEmpty');
    assert.equal(short(reply([{ kind: 'thinking', text: 'hm' }]), { rules }), 'NonEmpty');
  });

  test('as valid JSON where it is what the client asked for', () => {
    const rules: Accept['rules'] = ['ValidJSON'];
    assert.equal(short(reply('{"name":"Ada"}'), { rules }, person), undefined);
    assert.equal(short(reply('{"nom":"Ada"}'), { rules }, person), 'ValidJSON');
    assert.equal(short(reply('{"name":"Ad'), { rules }, person), 'ValidJSON');
    assert.equal(short(reply('Here it is: {"name":"Ada"}'), { rules }, person), 'ValidJSON');
    assert.equal(short(reply('not JSON at all'), { rules }), undefined);
  });

  test('as valid JSON where its calls are to tools that were offered, with arguments these take', () => {
    const rules: Accept['rules'] = ['ValidJSON'];
    const tool: Tool = { name: 'find', parameters: { required: ['city'] } };
    const asked: Asked = { tools: [tool, { name: 'now' }] };
    assert.equal(short(reply([call('find', '{"city":"Rome"}'), call('now', '')]), { rules }, asked), undefined);
    for (const bad of [call('find', '{}'), call('find', '{"city":'), call('seek', '{"city":"Rome"}')])
      assert.equal(short(reply([bad]), { rules }, asked), 'ValidJSON');
  });

  test('as no refusal where it does not decline, by its finish, in a part of its own, or in the usual words', () => {
    const rules: Accept['rules'] = ['NotRefusal'];
    for (const words of [
      "I'm sorry, but I can't help with that.",
      'I’m sorry, I can’t assist with this request.',
      'I cannot provide medical advice.',
      'Sorry, I am unable to comply.',
      "As an AI language model, I won't write this.",
      'Unfortunately, I cannot answer.',
    ])
      assert.equal(short(reply(words), { rules }), 'NotRefusal', words);
    for (const words of [
      'The form letter reads: "I cannot help with that."',
      "I can't stress this enough: back up first.",
      'Sorry to hear that! Try turning it off and on.',
    ])
      assert.equal(short(reply(words), { rules }), undefined, words);
    assert.equal(short(reply([{ kind: 'refusal', text: 'No.' }]), { rules }), 'NotRefusal');
    assert.equal(short(reply('x', { finish: { reason: 'content-filter' } }), { rules }), 'NotRefusal');
  });

  test('up to its length, by the count of the provider or an estimate', () => {
    const maxOutputTokens = tokens(10);
    assert.equal(short(reply('x', { usage: { ...noUsage, output: tokens(10) } }), { maxOutputTokens }), undefined);
    assert.equal(short(reply('x', { usage: { ...noUsage, output: tokens(11) } }), { maxOutputTokens }), 'maxOutputTokens');
    assert.equal(short(reply('x'.repeat(41)), { maxOutputTokens }), 'maxOutputTokens');
  });

  test('from a confidence on, and never where that is not known', () => {
    const sure = (probability: number) => reply('x', { logprobs: { content: [{ logprob: Math.log(probability) }] } });
    assert.equal(short(sure(0.9), { minConfidence: 0.8 }), undefined);
    assert.equal(short(sure(0.7), { minConfidence: 0.8 }), 'minConfidence');
    assert.equal(short(reply('x'), { minConfidence: 0.1 }), 'minConfidence');
  });
});

test('the confidence of an answer is between that of its surest and its least sure token, whatever the provider sends', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -50, max: 0, noNaN: true }), { minLength: 1 }), logprobs => {
      const told = confidenceOf({ content: logprobs.map(logprob => ({ logprob })) })!;
      const slack = 1e-9;
      assert.ok(told >= Math.exp(Math.min(...logprobs)) * (1 - slack) && told <= Math.exp(Math.max(...logprobs)) * (1 + slack));
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const told = confidenceOf({ content: value });
      assert.ok(told === undefined || (told >= 0 && told <= 1));
    }),
  );
});
