// What is digested tells every difference but that of the last user turn, whatever is in the texts; over generated requests.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { ChatRequest, Message } from '../chat/request.ts';
import { aRequest } from '../chat/testing.ts';
import { tokens } from '../units.ts';
import { keyOf, lastUserTurn, type PartitionFacts, partitionOf, partitionText, promptOf } from './partition.ts';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const user = (...texts: string[]): Message => ({ role: 'user', content: texts.map(text => ({ kind: 'text', text })) });
const facts = (request: ChatRequest, changes: Partial<PartitionFacts> = {}): PartitionFacts => ({
  request,
  body: {},
  operation: 'Chat',
  tenant: 'acme',
  route: 'default/r',
  answerers: ['default/p/m'],
  metadata: [],
  embedder: 'e1',
  guards: 'g1',
  ...changes,
});

// Few letters and the signs of the encoding itself, so that collisions are found where there are any.
const text = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', 'b', ':', '1', '2', '[', '+', '-', '?', '!', '"', ' ', '\n', '\ud800', '\udc00', 'é'),
    maxLength: 5,
  }),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });
const parts = fc.array(fc.record({ kind: fc.constant('text' as const), text }), { minLength: 1, maxLength: 3 });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ role: fc.constant('system' as const), content: parts }),
  fc.record({ role: fc.constant('user' as const), content: parts, name: maybe(text) }) as fc.Arbitrary<Message>,
  fc.record({ role: fc.constant('assistant' as const), content: parts }),
  fc.record({ role: fc.constant('tool' as const), callId: text, content: parts }),
);
const schema = maybe(fc.dictionary(text, fc.oneof(text, fc.constantFrom(0, 1, null, true)), { maxKeys: 2 }));
const request = fc.record({
  model: text,
  messages: fc.array(message, { maxLength: 4 }),
  tools: fc.array(fc.record({ name: text, description: maybe(text), parameters: schema }), { maxLength: 2 }),
  stop: fc.array(text, { maxLength: 2 }),
  sampling: fc.record({ temperature: maybe(fc.constantFrom(0, 1)), topP: maybe(fc.constantFrom(0, 1)) }),
  maxOutputTokens: maybe(fc.constantFrom(tokens(1), tokens(12))),
  extra: fc.dictionary(text, text, { maxKeys: 2 }),
}) as unknown as fc.Arbitrary<Partial<ChatRequest>>;
const around = fc.record({
  tenant: text,
  key: maybe(text),
  route: text,
  answerers: fc.array(text, { maxLength: 2 }),
  namespace: maybe(text),
  user: maybe(text),
  betas: maybe(text),
  fallbacks: maybe(fc.array(text, { maxLength: 2 })),
  embedder: text,
  guards: text,
});
const whole = fc.tuple(request, around).map(([changes, own]) => facts(aRequest(changes), own as Partial<PartitionFacts>));

/** What must be equal: everything, with the last user turn's text taken out. Keys of `extra` and the sampling have no order. */
function seen({ request, ...own }: PartitionFacts): unknown {
  const { messages, ...rest } = request;
  const at = lastUserTurn(request)?.at;
  const turns = messages.map((one, i) => (i === at ? { ...one, content: 'the turn' } : one));
  return JSON.parse(
    JSON.stringify({ own, rest, turns }, (_, value) =>
      typeof value === 'string' ? [...value].map(c => c.codePointAt(0)) : value,
    ),
  );
}

test('two requests share a partition only if they differ in nothing but the last user turn', () => {
  fc.assert(
    fc.property(whole, whole, fc.boolean(), (one, other, alike) => {
      // Requests drawn apart are hardly ever nearly alike: half of the pairs differ in one field.
      const pair = alike ? { ...one, request: { ...one.request, [pickOf(other)]: other.request[pickOf(other)] } } : other;
      const bytes = [one, pair].map(each => Buffer.from(partitionText(each)).toString('hex'));
      assert.equal(bytes[0] === bytes[1], isDeepStrictEqual(seen(one), seen(pair)));
    }),
    { numRuns: 4000, verbose: 1 },
  );
});

const fields = ['model', 'messages', 'tools', 'stop', 'sampling', 'maxOutputTokens', 'extra'] as const;
const pickOf = ({ tenant }: PartitionFacts) => fields[tenant.length % fields.length]!;

test('a prompt cannot write itself into another field', () => {
  fc.assert(
    fc.property(text, text, text, text, (a, b, c, d) => {
      const of = (tenant: string, system: string) =>
        Buffer.from(
          partitionText(
            facts(aRequest({ messages: [{ role: 'system', content: [{ kind: 'text', text: system }] }] }), { tenant }),
          ),
        ).toString('hex');
      assert.equal(of(a, b) === of(c, d), a === c && b === d);
    }),
    { numRuns: 2000, verbose: 1 },
  );
});

test('tenants, keys, routes, who may answer, users, namespaces, betas, fallbacks, versions and metadata are apart; absent is not empty', () => {
  const variants: Partial<PartitionFacts>[] = [
    {},
    { tenant: 'other' },
    { key: 'k1' },
    { key: '' },
    { route: 'default/s' },
    { answerers: [] },
    { answerers: ['default/p/other'] },
    { answerers: ['default/p/m', 'default/p/other'] },
    { namespace: 'n' },
    { user: 'n' },
    { betas: 'n' },
    { fallbacks: [] },
    { fallbacks: ['n'] },
    { fallbacks: ['n', 'm'] },
    { embedder: 'e2' },
    { guards: 'g2' },
    { operation: 'Completions' },
    { metadata: [['language', 'de']] },
    { metadata: [['language', '']] },
    { metadata: [['language', undefined]] },
  ];
  const names = variants.map(own => partitionOf(facts(aRequest(), own), digest));
  assert.equal(new Set(names).size, variants.length);
});

test('dialects, streamed or not, with marks of a cache or without, share', () => {
  const plain = partitionOf(facts(aRequest()), digest);
  const others = [
    facts(aRequest({ dialect: 'anthropic-messages', stream: true, user: 'u' }), { operation: 'Messages' }),
    facts(aRequest({ messages: [{ role: 'user', content: [{ kind: 'text', text: 'Bye', cache: {} }] }] })),
    facts(aRequest({ extra: { metadata: { team: 'x' } } })),
  ];
  for (const other of others) assert.equal(partitionOf(other, digest), plain);
  const foreign = (dialect: ChatRequest['dialect']) =>
    partitionOf(facts(aRequest({ dialect, extra: { verbosity: 'low' } })), digest);
  assert.notEqual(foreign('openai-chat'), foreign('anthropic-messages'));
});

test('the exact key trims white space around the turn and nothing else', () => {
  const key = (...texts: string[]) => keyOf(lastUserTurn(aRequest({ messages: [user(...texts)] }))!, digest);
  assert.equal(key(' What is C?\n'), key('What is C?'));
  for (const other of ['What is C++?', 'What is c?', 'What is C', 'What  is C?', 'What is C#?'])
    assert.notEqual(key('What is C?'), key(other));
  assert.notEqual(key('ab', 'c'), key('a', 'bc'));
  assert.equal(key(' a', 'b '), key('a', 'b'));
  assert.equal(promptOf(lastUserTurn(aRequest({ messages: [user(' a', 'b ')] }))!), 'a\nb');
});

test('a turn that is not of text alone has no key', () => {
  const picture = { kind: 'image', source: { kind: 'url', url: 'u' } } as const;
  assert.equal(lastUserTurn(aRequest({ messages: [{ role: 'user', content: [picture] }] })), undefined);
  assert.equal(lastUserTurn(aRequest({ messages: [] })), undefined);
});
