// The rows of docs/dialects.md: what is asked, and what shows that it was understood.
import assert from 'node:assert/strict';
import { tokensOf } from '#simulator/tokens.ts';
import { pdf, personSchema, png, weatherSchema } from '#test/support/stage.ts';
import type { Answer, Ask, Call, Client, Json, Part, Turn, Word } from './ask.ts';
import { type ModelKind, price, type Target } from './targets.ts';

export type Seen = {
  readonly answer: Answer;
  /** The body that the provider was sent. */
  readonly sent: Json;
  /** What the provider counted. */
  readonly promptTokens: number;
  readonly costUSD: number | undefined;
  readonly client: Client;
  readonly target: Target;
};

type Question = Omit<Ask, 'model' | 'turns'> & {
  readonly turns?: readonly Turn[];
  readonly says?: string;
  readonly parts?: readonly Part[];
};

export type Feature = {
  readonly name: string;
  readonly kind?: ModelKind;
  readonly ask: Question;
  /** A later turn, made of what the first one gave. */
  readonly next?: (first: Answer) => readonly Turn[];
  /** Throws where it was not understood. A string is what a reader has to know besides. */
  readonly shows: (seen: Seen) => unknown;
  /** The class of the error that the client has to be told. */
  readonly fails?: readonly string[];
  /** The stream has to end in an error. */
  readonly breaks?: true;
  readonly counts?: true;
  /** What the later turn needs words for. */
  readonly words?: readonly Word[];
};

/** Whether a field of this name and value stands anywhere in a body. */
export function holds(body: Json, name: RegExp, value?: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  return Object.entries(body).some(
    ([key, inner]) => (name.test(key) && (value === undefined ? inner !== null : inner === value)) || holds(inner, name, value),
  );
}

const tools = [{ name: 'get_weather', parameters: weatherSchema }, { name: 'get_time' }];
const sends =
  (name: RegExp, value?: unknown) =>
  ({ sent }: Seen) =>
    assert.ok(holds(sent, name, value), `${name} was not sent`);
const called = ({ calls }: Answer): string[] => calls.map(({ name }) => name);
const callsOf =
  (...names: string[]) =>
  ({ answer }: Seen) => {
    assert.deepEqual(called(answer), names);
    assert.equal(answer.finish, 'calls');
  };
const resultsOf = (calls: readonly Call[], failed?: true): Turn => ({
  results: calls.map(call => ({ call, output: 'fine', ...(failed && { failed }) })),
});
const speaks = ({ answer }: Seen) => assert.match(answer.text, /You said/);

/** Characters that each wire counts otherwise. */
const CITES = 'Tell me of 😀 tölls. [[cites]]';
const CITATIONS = /^(citations|annotations|citationsContent)$/;

export const features: readonly Feature[] = [
  {
    name: 'text',
    ask: {},
    shows: ({ answer }) => {
      assert.match(answer.text, /Tell me of tolls/);
      assert.equal(answer.finish, 'stop');
    },
  },
  {
    name: 'streaming',
    ask: { stream: true },
    shows: ({ answer }) => {
      assert.match(answer.text, /Tell me of tolls/);
      assert.equal(answer.finish, 'stop');
      assert.ok(answer.usage && answer.usage.output > 0);
    },
  },
  {
    name: 'system prompt',
    ask: { system: 'Speak of bridges.' },
    shows: ({ sent }) => assert.match(JSON.stringify(sent), /Speak of bridges\./),
  },
  {
    name: 'several turns',
    ask: { turns: [{ user: [{ kind: 'text', text: 'First.' }] }, { said: 'Second.' }] },
    shows: ({ sent }) => assert.match(JSON.stringify(sent), /First\..*Second\..*Tell me of tolls/),
  },
  {
    name: 'a tool',
    ask: { tools, says: 'Use get_weather.' },
    shows: seen => {
      callsOf('get_weather')(seen);
      assert.deepEqual(Object.keys(seen.answer.calls[0]!.arguments as object).sort(), ['city', 'unit']);
    },
  },
  {
    name: 'a tool, streamed',
    ask: { tools, says: 'Use get_weather.', stream: true },
    shows: seen => {
      callsOf('get_weather')(seen);
      assert.deepEqual(Object.keys(seen.answer.calls[0]!.arguments as object).sort(), ['city', 'unit']);
    },
  },
  { name: 'parallel tools', ask: { tools, says: 'Use get_weather and get_time.' }, shows: callsOf('get_weather', 'get_time') },
  {
    name: 'parallel tools, streamed',
    ask: { tools, says: 'Use get_weather and get_time.', stream: true },
    shows: callsOf('get_weather', 'get_time'),
  },
  {
    name: 'no parallel tools',
    ask: { tools, says: 'Use get_weather and get_time.', parallel: false },
    shows: callsOf('get_weather'),
  },
  {
    name: 'tool results',
    ask: { tools, says: 'Use get_weather and get_time.' },
    next: first => [resultsOf(first.calls)],
    shows: ({ answer }) => assert.match(answer.text, /get_weather returned: .*fine.*get_time returned: .*fine/s),
  },
  {
    name: 'tool results that failed',
    ask: { tools, says: 'Use get_weather.' },
    next: first => [resultsOf(first.calls, true)],
    words: ['failed'],
    shows: ({ answer, sent }) => {
      assert.match(answer.text, /get_weather returned/);
      const isTold = holds(sent, /^(is_error|status|error)$/);
      return isTold ? undefined : 'the target has no word for failure: the text alone tells it';
    },
  },
  {
    name: 'tool choice: none',
    ask: { tools, says: 'Use get_weather.', choice: 'none' },
    shows: ({ answer }) => assert.deepEqual(called(answer), []),
  },
  {
    name: 'tool choice: required',
    ask: { tools, choice: 'required' },
    shows: ({ answer }) => assert.equal(answer.calls.length, 1),
  },
  {
    name: 'tool choice: one tool',
    ask: { tools, choice: { tool: 'get_time' } },
    shows: ({ answer }) => assert.deepEqual(called(answer), ['get_time']),
  },
  {
    name: 'image',
    ask: { parts: [{ kind: 'image', data: png }] },
    shows: ({ answer }) => assert.match(answer.text, /an image of type image\/png/),
  },
  {
    name: 'image by URL',
    ask: { parts: [{ kind: 'image-url', url: 'https://images.test/1.png' }] },
    shows: ({ answer }) => assert.match(answer.text, /I see an image/),
  },
  {
    name: 'PDF',
    ask: { parts: [{ kind: 'pdf', data: pdf }] },
    shows: ({ answer }) => assert.match(answer.text, /I see a document/),
  },
  {
    name: 'plain text as a document',
    ask: { parts: [{ kind: 'plain', text: 'All of it.' }] },
    shows: ({ sent, answer }) => {
      const written = JSON.stringify(sent);
      assert.ok(written.includes('All of it.') || written.includes(Buffer.from('All of it.').toString('base64')));
      speaks({ answer } as Seen);
    },
  },
  { name: 'citations', ask: { says: CITES }, shows: cites },
  { name: 'citations, streamed', ask: { says: CITES, stream: true }, shows: cites },
  {
    name: 'a turn that cites, in the history',
    ask: { says: CITES },
    next: () => [{ user: [{ kind: 'text', text: 'Are you sure?' }] }],
    shows: ({ answer, sent }) => {
      assert.match(answer.text, /You said: "Are you sure\?"/);
      return holds(sent, CITATIONS) ? undefined : 'the target is sent the words, and not what they cite';
    },
  },
  { name: 'citations of a document', ask: { parts: [{ kind: 'pdf', data: pdf, citations: true }] }, shows: citesPage },
  {
    name: 'citations of a document, streamed',
    ask: { parts: [{ kind: 'pdf', data: pdf, citations: true }], stream: true },
    shows: citesPage,
  },
  {
    name: 'audio',
    ask: { parts: [{ kind: 'wav', data: Buffer.from('RIFF').toString('base64') }] },
    shows: ({ answer }) => assert.match(answer.text, /I see audio/),
  },
  { name: 'JSON', ask: { format: 'json', says: 'In JSON.' }, shows: ({ answer }) => assert.ok(JSON.parse(answer.text)) },
  {
    name: 'JSON by a schema',
    ask: { format: { schema: personSchema } },
    shows: ({ answer }) => assert.deepEqual(Object.keys(JSON.parse(answer.text)).sort(), ['age', 'name', 'tags']),
  },
  {
    name: 'JSON by a schema, streamed',
    ask: { format: { schema: personSchema }, stream: true },
    shows: ({ answer }) => assert.deepEqual(Object.keys(JSON.parse(answer.text)).sort(), ['age', 'name', 'tags']),
  },
  { name: 'thinking', kind: 'thinker', ask: { thinking: 'enabled' }, shows: thinks },
  { name: 'thinking, streamed', kind: 'thinker', ask: { thinking: 'enabled', stream: true }, shows: thinks },
  {
    name: 'thinking goes on, with its signature',
    kind: 'thinker',
    ask: { thinking: 'enabled', tools, says: 'Use get_weather.', stream: true },
    next: first => [resultsOf(first.calls)],
    shows: seen => {
      const { answer, sent, target, client } = seen;
      assert.match(answer.text, /get_weather returned/);
      if (isSigned(sent)) return undefined;
      if (!target.maker) return 'nobody signs what this model thinks';
      if (!target.showsThinking) return 'the target shows and signs no thoughts on the wire that it is asked on';
      assert.equal(client.dialect, 'openai-chat', 'the signature did not come back');
      return 'the dialect has no place for signatures: what was thought is not sent again';
    },
  },
  {
    name: 'a refusal',
    kind: { fault: 'refusal' },
    ask: {},
    shows: ({ answer }) => {
      const { refusal, text, finish } = answer;
      assert.ok(refusal !== '' || text !== '' || finish === 'filtered');
      return refusal !== '' || finish === 'filtered' ? undefined : 'it is text';
    },
  },
  {
    name: 'a content filter',
    kind: { fault: 'content-filter-output' },
    ask: {},
    shows: ({ answer }) => assert.equal(answer.finish, 'filtered'),
    fails: ['content_filtered'],
  },
  {
    name: 'prompt cache mark',
    ask: { system: 'Long. '.repeat(400), marked: true },
    shows: ({ sent }) => {
      return holds(sent, /^(cache_control|cachePoint|prompt_cache_breakpoint)$/)
        ? undefined
        : 'the target caches unasked, and is sent no mark';
    },
  },
  {
    name: 'stop sequence',
    ask: { stop: ['simulated'] },
    shows: ({ answer }) => {
      assert.ok(!answer.text.includes('simulated') && answer.text.startsWith('This is'));
      assert.equal(answer.finish, 'stop');
    },
  },
  {
    name: 'max tokens',
    ask: { maxTokens: 20, says: 'At length. [[tokens=200]]' },
    shows: ({ answer }) => assert.equal(answer.finish, 'length'),
  },
  { name: 'temperature', ask: { temperature: 0.5 }, shows: sends(/^temperature$/, 0.5) },
  { name: 'top_p', ask: { topP: 0.5 }, shows: sends(/^top_?p$/i, 0.5) },
  { name: 'top_k', ask: { topK: 7 }, shows: sends(/^top_?k$/i, 7) },
  { name: 'seed', ask: { seed: 42 }, shows: sends(/^seed$/, 42) },
  { name: 'penalties', ask: { penalties: 0.5 }, shows: sends(/^frequency_?penalty$/i, 0.5) },
  { name: 'logprobs', ask: { logprobs: true }, shows: ({ answer }) => assert.ok(answer.hasLogprobs) },
  { name: 'several answers (n)', ask: { n: 2 }, shows: ({ answer }) => assert.equal(answer.choices, 2) },
  { name: "the end user's name", ask: { user: 'user-7' }, shows: ({ sent }) => assert.match(JSON.stringify(sent), /user-7/) },
  {
    name: 'usage, each class priced once',
    ask: {
      system: 'Long. '.repeat(400),
      marked: true,
      turns: [{ user: [{ kind: 'text', text: 'First.' }] }, { said: 'Second.' }],
    },
    shows: isPricedOnce,
  },
  { name: 'usage of thinking', kind: 'thinker', ask: { thinking: 'enabled' }, shows: isPricedOnce },
  {
    name: 'context overflow',
    kind: { fault: 'context-length' },
    ask: {},
    shows: neverAnswered,
    fails: ['context_length_exceeded'],
  },
  { name: 'rate limit', kind: { fault: '429' }, ask: {}, shows: neverAnswered, fails: ['upstream_rate_limited'] },
  {
    name: 'an error in a stream',
    kind: { fault: 'error-event' },
    ask: { stream: true, says: 'At length. [[tokens=60]]' },
    shows: neverAnswered,
    breaks: true,
  },
  {
    name: 'a search that the provider runs',
    ask: { search: true },
    shows: ({ sent }) => assert.match(JSON.stringify(sent), /web_?search|google_?search/i),
  },
  {
    name: 'several prompts',
    ask: { prompts: ['Tell me of tolls.', 'And of bridges.'] },
    shows: ({ answer }) => assert.equal(answer.choices, 2),
  },
  { name: 'count of tokens', ask: {}, counts: true, shows: () => undefined },
];

function neverAnswered(): never {
  assert.fail('it was answered');
}

/** The words in the middle of the answer rest on a page; a block of a stream begins where it was opened. */
function cites({ answer, client, target }: Seen): string | undefined {
  const [cited, ...more] = answer.citations;
  if (client.dialect === 'openai-completions') return 'the dialect has no place for them';
  if (!cited && target.type === 'VLLM') return 'the target cites nothing';
  assert.match(cited?.source ?? '', /^https:\/\/pages\.test\//);
  assert.deepEqual(more, []);
  const tokens = tokensOf(answer.text);
  const third = Math.floor(tokens.length / 3);
  const words = tokens.slice(third, 2 * third).join('');
  if (cited!.words === words) return undefined;
  assert.ok(cited!.words!.startsWith(answer.text.slice(0, 9)) && cited!.words!.includes(words), JSON.stringify(cited));
  return 'which words are meant is known when they have gone: the block has those before them too';
}

function citesPage({ answer, sent }: Seen): void {
  assert.ok(holds(sent, /^citations$/));
  assert.deepEqual(
    answer.citations.map(({ source }) => source),
    ['document 0, page 1'],
  );
}

function thinks({ answer, target }: Seen): string | undefined {
  assert.match(answer.text, /Tell me of tolls/);
  if (answer.thinking !== '') return undefined;
  return target.showsThinking ? 'what it thinks is not shown in this dialect' : 'the target does not show what it thinks';
}

/** Something that only its maker can read stands in it: what stands for a signature is none. */
export function isSigned(body: Json): boolean {
  if (typeof body !== 'object' || body === null) return false;
  return Object.entries(body).some(([name, value]) => (isSignature.test(name) && isReal(value)) || isSigned(value));
}
const isSignature = /^(?:signature|thoughtSignature|encrypted_content|redactedContent)$/;
const standIns: readonly unknown[] = ['', 'skip_thought_signature_validator', 'tollgate-unsigned'];
const isReal = (signature: unknown): boolean => typeof signature === 'string' && !standIns.includes(signature);

function isPricedOnce({ answer, promptTokens, costUSD }: Seen): void {
  const { input, cached, output } = answer.usage!;
  assert.equal(input, promptTokens);
  const micros =
    (input - cached) * Number(price.inputPerMTok) +
    cached * Number(price.cachedInputPerMTok) +
    output * Number(price.outputPerMTok);
  assert.ok(Math.abs(costUSD! * 1e6 - micros) < 0.01, `${costUSD! * 1e6} for ${micros}`);
}

/** What the rows above want of the stage. */
export const faults: readonly string[] = features.flatMap(({ kind }) => (typeof kind === 'object' ? [kind.fault] : []));
