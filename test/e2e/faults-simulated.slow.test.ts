// The fault matrix: each fault of the simulator, on each wire, seen by each client dialect, streamed and not. What the client must see,
// and how many calls the provider gets.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, chatPath, message, messagesPath, post } from '#test/support/client.ts';
import { answerText, isTerminated, messagesIn } from '#test/support/sse.ts';
import { faulty, openStage, type Stage, type Target, targets } from '#test/support/stage.ts';
import { openStream } from '#test/support/streaming.ts';
import { within } from '#test/support/until.ts';

/**
 * `answer`: whole and good; `silent`: whole, and says nothing. `cut`: a stream that has begun ends with a typed error and no
 * terminator. A number: that status and not one SSE byte.
 */
type Seen = 'answer' | 'silent' | 'cut' | number;

/** After these nothing is sent to a provider for minutes: each cell has one of its own. */
const closing = ['401', '403', 'quota', 'billing'];

type Row = { readonly fault: string; readonly streamed: Seen; readonly whole: Seen };

const rows: readonly Row[] = [
  { fault: '400', streamed: 400, whole: 400 },
  { fault: '401', streamed: 502, whole: 502 },
  { fault: '403', streamed: 502, whole: 502 },
  { fault: '404', streamed: 404, whole: 404 },
  { fault: '413', streamed: 413, whole: 413 },
  // Any longer wait opens the breaker, and the next request for the model would be told so.
  { fault: '429;after=0', streamed: 429, whole: 429 },
  { fault: '429-none', streamed: 429, whole: 429 },
  { fault: '429-negative', streamed: 429, whole: 429 },
  { fault: 'quota', streamed: 502, whole: 502 },
  { fault: 'billing', streamed: 502, whole: 502 },
  { fault: '500', streamed: 502, whole: 502 },
  { fault: '502', streamed: 502, whole: 502 },
  { fault: '503', streamed: 503, whole: 503 },
  { fault: '529', streamed: 503, whole: 503 },
  { fault: 'context-length', streamed: 400, whole: 400 },
  { fault: 'redirect', streamed: 502, whole: 502 },
  { fault: 'html', streamed: 502, whole: 502 },
  { fault: 'empty-body', streamed: 502, whole: 502 },
  { fault: 'empty', streamed: 502, whole: 502 },
  { fault: 'error-first', streamed: 503, whole: 503 },
  { fault: 'reset', streamed: 502, whole: 502 },
  { fault: 'cut;chunks=0', streamed: 502, whole: 502 },
  { fault: 'cut', streamed: 'cut', whole: 502 },
  { fault: 'cut-clean', streamed: 'cut', whole: 502 },
  { fault: 'cut-reset', streamed: 'cut', whole: 502 },
  { fault: 'error-event', streamed: 'cut', whole: 503 },
  { fault: 'length-long', streamed: 'answer', whole: 502 },
  // Of binary streams.
  { fault: 'bad-crc', streamed: 'answer', whole: 'answer' },
  { fault: 'cut-frame', streamed: 'answer', whole: 'answer' },
  { fault: 'stall', streamed: 'cut', whole: 504 },
  { fault: 'silence', streamed: 504, whole: 504 },
  { fault: 'headers-then-silence', streamed: 504, whole: 504 },
  { fault: 'role-then-silence', streamed: 504, whole: 504 },
  { fault: 'byte-by-byte', streamed: 'answer', whole: 'answer' },
  { fault: 'crlf', streamed: 'answer', whole: 'answer' },
  { fault: 'comments', streamed: 'answer', whole: 'answer' },
  { fault: 'no-done', streamed: 'answer', whole: 'answer' },
  { fault: 'usage-missing', streamed: 'answer', whole: 'answer' },
  { fault: 'gzip', streamed: 'answer', whole: 'answer' },
  { fault: 'content-type', streamed: 502, whole: 502 },
  { fault: 'slow-first-token;ms=200', streamed: 'answer', whole: 'answer' },
];

/** What the wire of the provider says instead of the usual status, where it has no such status or words it otherwise. */
const exceptions: Readonly<Record<string, Partial<Row>>> = {
  // OpenAI's frame for a failure inside a stream names no overload: a plain failure of the provider.
  'openai error-first': { streamed: 502, whole: 502 },
  'openai error-event': { whole: 502 },
  // Anthropic's empty answer has cost one token, which says that the model did answer.
  'anthropic empty': { streamed: 'silent', whole: 'silent' },
  'bedrock empty': { streamed: 'silent', whole: 'silent' },
  // What fails in its streams is a limit of the rate; whole, it is no answer at all.
  'Bedrock error-first': { streamed: 429, whole: 502 },
  'Bedrock error-event': { whole: 502 },
  'Bedrock bad-crc': { streamed: 'cut' },
  'Bedrock cut-frame': { streamed: 'cut' },
  // vLLM has no accounts: its 429 is a rate limit whatever was asked for.
  'VLLM quota': { streamed: 429, whole: 429 },
};

const dialects = [
  { name: 'OpenAI client', client: 'openai', path: chatPath, body: chat },
  { name: 'Anthropic client', client: 'anthropic', path: messagesPath, body: message },
] as const;
type Dialect = (typeof dialects)[number];

/** vLLM speaks messages itself. */
const wireFor = ({ client }: Dialect, { type, wire }: Target): string =>
  type === 'VLLM' && client === 'anthropic' ? client : wire;

const outcomes: Readonly<Record<Exclude<Seen, number>, string>> = {
  answer: 'a whole answer',
  silent: 'a whole answer that says nothing',
  cut: 'a typed error at the end',
};
const shown = (seen: Seen): string => (typeof seen === 'number' ? `status ${seen}` : outcomes[seen]);

/** As the simulator knows it: options that it does not know mean nothing. */
const faultOf = (fault: string, dialect: Dialect, streamed: boolean): string =>
  closing.includes(fault) ? `${fault};for=${dialect.client}-${streamed ? 'streamed' : 'whole'}` : fault;

let stage: Stage;
before(async () => {
  const cells = rows.flatMap(({ fault }) =>
    dialects.flatMap(dialect => [true, false].map(streamed => faultOf(fault, dialect, streamed))),
  );
  stage = await openStage([...new Set(cells)]);
});
after(() => stage?.close());

describe('the fault matrix', { concurrency: 3 }, () => {
  for (const dialect of dialects) {
    for (const target of targets) {
      describe(`${dialect.name}, ${target.name}`, { concurrency: 8 }, () => {
        for (const row of rows) {
          const { streamed, whole } = {
            ...row,
            ...exceptions[`${wireFor(dialect, target)} ${row.fault}`],
            ...exceptions[`${target.type} ${row.fault}`],
          };
          const bodyFor = (streamed: boolean) =>
            dialect.body(faulty(target, faultOf(row.fault, dialect, streamed)), {
              messages: [{ role: 'user', content: 'Go on. [[tokens=40]]' }],
              max_tokens: 60,
            });

          test(`${row.fault}, streamed: ${shown(streamed)}`, async () => {
            const stream = await within(
              15_000,
              'an answer',
              openStream(stage.url + dialect.path, { ...bodyFor(true), stream: true }),
            );
            const { text } = await within(15_000, 'the end of the answer', stream.ended);
            checkStream(dialect, streamed, { status: stream.status, type: stream.headers['content-type'] ?? '', text });
          });

          test(`${row.fault}, not streamed: ${shown(whole)}`, async () => {
            const { status, text, json } = await within(15_000, 'an answer', post(stage.url + dialect.path, bodyFor(false)));
            assert.equal(status, typeof whole === 'number' ? whole : 200, text);
            if (typeof whole === 'number') return assertErrorBody(dialect, json());
            const said = JSON.stringify(dialect.client === 'openai' ? json().choices : json().content);
            assert.equal(/simulated/.test(said), whole !== 'silent', said);
          });
        }
      });
    }
  }
});

test('each of these requests was one call of the provider: what is not to be retried was not', () => {
  const calls = new Map<string, number>();
  for (const simulator of [stage.hosted, stage.engine]) {
    for (const { model, fault } of simulator.requests())
      if (fault) calls.set(`${model} ${fault}`, (calls.get(`${model} ${fault}`) ?? 0) + 1);
  }
  assert.ok(calls.size > 0);
  assert.equal(
    [...calls.values()].reduce((total, count) => total + count, 0),
    dialects.length * targets.length * rows.length * 2,
  );
});

function checkStream(dialect: Dialect, seen: Seen, { status, type, text }: { status: number; type: string; text: string }): void {
  if (typeof seen === 'number') {
    assert.equal(status, seen, text);
    assert.match(type, /^application\/json/, 'no SSE byte');
    assertErrorBody(dialect, JSON.parse(text));
    return;
  }
  assert.equal(status, 200, text);
  const last = messagesIn(text).at(-1);
  const error = last && last.data !== '[DONE]' ? JSON.parse(last.data).error : undefined;
  if (seen === 'cut') {
    assert.ok(!isTerminated(text) && !text.includes('[DONE]'), `no terminator: ${text.slice(-300)}`);
    assert.equal(typeof error?.message, 'string', text.slice(-300));
  } else {
    assert.equal(error, undefined, text.slice(-300));
    assert.equal(/simulated/.test(answerText(text)), seen !== 'silent', text.slice(-300));
    assert.ok(isTerminated(text), text.slice(-300));
  }
}

function assertErrorBody(dialect: Dialect, body: Record<string, unknown>): void {
  const error = body.error as Record<string, unknown>;
  assert.equal(typeof error?.message, 'string', JSON.stringify(body));
  assert.equal(typeof error.type, 'string');
  if (dialect.client === 'anthropic') assert.equal(body.type, 'error');
  else assert.equal(typeof error.code, 'string');
}
