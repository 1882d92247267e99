// A stream that is cut at any byte: with `midStream: Continue` another one goes on with it, and the client has one whole answer; without,
// or where nobody can go on, it has an explicit error. Never a part that looks whole.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { type Delivered, deliver } from '#test/support/attempts.ts';
import { frontends, relayAfter, relayBetween, type Wire } from '#test/support/relays.ts';
import { answerText, isTerminated, messagesIn } from '#test/support/sse.ts';
import { anthropicStream, openaiStream, type ScriptedStream, wholeStream } from '#test/support/wires.ts';

const wires: Readonly<Record<Wire, ScriptedStream>> = { openai: openaiStream, anthropic: anthropicStream };
const names = Object.keys(wires) as Wire[];

type Ending = Delivered & { readonly text: string; readonly attempts: number };

/** What the client has in the end, of an upstream that is cut and others that go on, each cut as well until the last. */
async function travel(
  frontend: Frontend,
  route: readonly Wire[],
  answer: string,
  pieces: readonly string[],
  cut: number,
): Promise<Ending> {
  const [first, ...others] = route as [Wire, ...Wire[]];
  const bytes = Buffer.from(wholeStream(wires[first], ...pieces));
  let last = await deliver(relayBetween(frontend, first, { mayResume: true }), { chunks: [bytes.subarray(0, cut)] });
  let { text } = last;
  let attempts = 1;
  for (const wire of others) {
    const { spoken } = last.result;
    if (!spoken) break;
    const prefix = spoken.text.trimEnd();
    assert.ok(answer.startsWith(spoken.text), `the next is told what the client has: ${JSON.stringify(spoken.text)}`);
    const rest = wholeStream(wires[wire], ...(prefix === answer ? [] : [answer.slice(prefix.length)]));
    last = await deliver(relayAfter(wire, { spoken, trimmed: spoken.text.slice(prefix.length) }), {
      chunks: [Buffer.from(rest)],
    });
    text += last.text;
    attempts++;
  }
  return { ...last, text, attempts };
}

function assertOneAnswer({ dialect }: Frontend, text: string, answer: string, where: string): void {
  assert.equal(answerText(text), answer, where);
  assert.ok(isTerminated(text), where);
  const events = messagesIn(text).filter(({ data }) => data !== '[DONE]');
  const bodies = events.map(({ data }) => JSON.parse(data));
  if (dialect === 'openai-chat') {
    assert.equal(new Set(bodies.map(body => body.id)).size, 1, `one id ${where}`);
    assert.equal(bodies.filter(body => body.choices?.[0]?.delta?.role).length, 1, `one beginning ${where}`);
    assert.equal(bodies.filter(body => body.choices?.[0]?.finish_reason).length, 1, `one finish ${where}`);
    return;
  }
  const count = (type: string) => bodies.filter(body => body.type === type).length;
  for (const type of ['message_start', 'message_delta', 'message_stop']) assert.equal(count(type), 1, `one ${type} ${where}`);
  const starts = bodies.filter(body => body.type === 'content_block_start').map(body => body.index);
  const stops = bodies.filter(body => body.type === 'content_block_stop').map(body => body.index);
  assert.deepEqual(starts, [...starts.keys()], `dense indices ${where}`);
  assert.deepEqual(stops, starts, where);
}

const sentence = ['One', ' two ', '\n three…', ' \u{1f600} four', '.'];

for (const frontend of frontends)
  for (const first of names) {
    describe(`${frontend.dialect}, cut at every byte of a stream of ${first}`, () => {
      const bytes = Buffer.from(wholeStream(wires[first], ...sentence));

      for (const second of names)
        test(`goes on at an upstream of ${second}`, async () => {
          let continued = 0;
          for (let cut = 0; cut <= bytes.length; cut++) {
            const where = `after ${cut} of ${bytes.length} bytes`;
            const { result, text, isEnded, attempts } = await travel(frontend, [first, second], sentence.join(''), sentence, cut);
            // Before its first token it fails unseen, and the next backend answers from the beginning.
            if (result.kind === 'refused') assert.equal(text, '', where);
            else {
              assert.equal(result.kind, 'answered', where);
              assert.ok(isEnded, where);
              // The last words of a stream may be missing where it was whole without them.
              if (attempts === 2) assertOneAnswer(frontend, text, sentence.join(''), where);
              else assert.equal(answerText(text), sentence.join(''), where);
            }
            if (attempts === 2) continued++;
          }
          assert.ok(continued > 100, `${continued} cuts`);
        });

      test('ends in a typed error where nobody goes on', async () => {
        for (let cut = 0; cut <= bytes.length; cut++) {
          const { result, text } = await deliver(relayBetween(frontend, first), { chunks: [bytes.subarray(0, cut)] });
          if (result.kind === 'answered') assert.equal(answerText(text), sentence.join(''));
          else {
            const told = text + (result.kind === 'broken' ? frontend.encodeStreamError(result.failure!, 'r-1') : '');
            assert.ok(!isTerminated(told), `after ${cut} bytes`);
            assert.ok(result.kind === 'refused' || JSON.parse(messagesIn(told).at(-1)!.data).error.code, `after ${cut} bytes`);
          }
        }
      });
    });
  }

test('any text, in any pieces, over any number of upstreams that are cut anywhere, is told once and whole', async () => {
  const piece = fc.string({ unit: fc.constantFrom('a', ' ', '\n', 'é', '\u{1f600}', '"', '\\'), minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...frontends),
      fc.array(fc.constantFrom(...names), { minLength: 2, maxLength: 2 }),
      fc.array(piece, { minLength: 1, maxLength: 8 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (frontend, route, pieces, part) => {
        const answer = pieces.join('');
        const size = Buffer.byteLength(wholeStream(wires[route[0]!], ...pieces));
        const { result, text, attempts } = await travel(frontend, route, answer, pieces, Math.floor(part * size));
        if (attempts === 1) return;
        assert.equal(result.kind, 'answered');
        assertOneAnswer(frontend, text, answer, '');
      },
    ),
    { numRuns: 400 },
  );
});

describe('a stream is not gone on with', () => {
  const cases: readonly (readonly [string, Wire, string])[] = [
    [
      'that has begun a tool call (openai)',
      'openai',
      'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{"}}]}}]}\n\n',
    ],
    [
      'that has thought (anthropic)',
      'anthropic',
      'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":""}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"Hm."}}\n\n',
    ],
    [
      'with a block that only its provider knows (anthropic)',
      'anthropic',
      'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}\n\n',
    ],
  ];
  for (const frontend of frontends)
    for (const [name, wire, more] of cases)
      test(`${name}, for ${frontend.dialect}`, async () => {
        const { opening, content } = wires[wire];
        const { result } = await deliver(relayBetween(frontend, wire, { mayResume: true }), {
          chunks: [Buffer.from(opening + content('Let me see.') + more)],
        });
        assert.equal(result.kind, 'broken');
        assert.equal(result.spoken, undefined);
      });
});

test('the usage is that of both attempts, as far as it was told', async () => {
  for (const frontend of frontends) {
    const { opening, content } = anthropicStream;
    const cut = await deliver(relayBetween(frontend, 'anthropic', { mayResume: true }), {
      chunks: [Buffer.from(opening + content('One'))],
    });
    const { spoken } = cut.result;
    assert.ok(spoken);
    const rest = await deliver(relayAfter('openai', { spoken, trimmed: '' }), {
      chunks: [Buffer.from(wholeStream(openaiStream, ' two'))],
    });
    const last = messagesIn(rest.text)
      .map(({ data }) => (data === '[DONE]' ? undefined : JSON.parse(data).usage))
      .findLast(usage => usage);
    // 9 + 9 tokens in; 1 was told of the first answer before it broke off, 3 of the second.
    if (frontend.dialect === 'openai-chat') assert.deepEqual([last.prompt_tokens, last.completion_tokens], [18, 4]);
    else assert.deepEqual([last.input_tokens, last.output_tokens], [18, 4]);
    // Each attempt's own row has its own.
    assert.equal(rest.result.usage?.output, 3);
  }
});
