// The fault matrix from outside: each fault of an upstream, byte by byte, at a provider of each wire, asked for by clients of both
// dialects, streamed and not, without and with a second backend. For each: what the client sees, the calls that reach the upstream,
// the rows of the ledger and what becomes of the breaker. `docs/faults.md` is what was observed: written with TOLLGATE_GOLDEN=write, compared otherwise.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import {
  type Answer,
  type Cell,
  doorFaults,
  FAILURES_THAT_OPEN,
  type FaultName,
  type FaultStage,
  openFaultStage,
  type Row,
  SECOND_SAID,
} from '#test/support/fault-stage.ts';
import { type Breaker, documentOf, type Line, type Outcome } from '#test/support/fault-table.ts';
import { clientKey } from '#test/support/resources.ts';
import { answerText, isTerminated, messagesIn } from '#test/support/sse.ts';
import { FIRST_SAID, streamFaults, wireFaults } from '#test/support/wire-faults.ts';

/** What a client of either dialect must see, and what it may cost, where the failing backend is the only one. */
type Expected = {
  /** `answer`, a status and a code, or `part, then` a code: a stream that had begun ends in an error. */
  readonly client: string;
  /** Attempts at the failing backend, where it is alone and where there is a second one. */
  readonly attempts: readonly [alone: number, spared: number];
  /** Requests that reach the upstream: all attempts, or none. */
  readonly arrives: boolean;
  /** A second backend answers. */
  readonly goesOn: boolean;
  /** What the attempts at the failing backend do to its breaker. */
  readonly breaker: Breaker;
  /** Of each row: `?`, `~`, `$` as in the document. */
  readonly marks: string;
};

const outcome =
  (attempts: Expected['attempts'], goesOn: boolean, breaker: Breaker) =>
  (client: string, marks = ''): Expected => ({ client, attempts, arrives: true, goesOn, breaker, marks });

/** The caller's own mistake: nobody else would take it either. */
const refused = outcome([1, 1], false, 'none');
/** Not worth a second try here; elsewhere it is. */
const elsewhere = outcome([1, 1], true, 'none');
const elsewhereFor = (breaker: Breaker) => outcome([1, 1], true, breaker);
/** Tried again here, then elsewhere. */
const again = outcome([3, 3], true, 'counts');
/** Tried again when the provider says, and left alone until then. */
const later = outcome([3, 3], true, 'at once');
/** Perhaps done and billed already: sent once more at most, then elsewhere. */
const unsure = (client: string, marks = '') => outcome([2, 2], true, 'counts')(client, `?${marks}`);
/** It took long already: elsewhere first, and again only where there is nobody else. */
const slow = outcome([3, 1], true, 'counts');
/** The client has a part of it: nothing to repeat. */
const broken = (code: string, marks = '~$') => outcome([1, 1], false, 'counts')(`part, then ${code}`, marks);
const answered = outcome([1, 1], false, 'none')('answer', '$');
const unreached = (expected: Expected): Expected => ({ ...expected, arrives: false });

type Manners = {
  readonly streamed: Expected;
  readonly whole: Expected | undefined;
  /** Where Anthropic's wire differs: its first frame tells what the input costs. */
  readonly anthropic?: Expected;
};
const both = (expected: Expected): Manners => ({ streamed: expected, whole: expected });
const streamed = (expected: Expected, anthropic = expected): Manners => ({ streamed: expected, whole: undefined, anthropic });

const silent: Manners = { streamed: slow('504 first_token_timeout'), whole: slow('504 request_deadline') };
const badResponse = again('502 upstream_bad_response');
const rateLimited = again('429 upstream_rate_limited');

const expected: Readonly<Record<FaultName, Manners>> = {
  'connection refused': both(unreached(again('502 upstream_connect_failed'))),
  'no such host': both(unreached(again('502 upstream_connect_failed'))),
  'TLS: untrusted certificate': both(unreached(again('502 upstream_connect_failed'))),
  'TLS: certificate of another host': both(unreached(again('502 upstream_connect_failed'))),
  'TLS: plain HTTP': both(unreached(again('502 upstream_connect_failed'))),
  'TLS: silence': both(unreached(slow('504 connect_timeout'))),
  'closed before the answer': both(unsure('502 upstream_reset')),
  'reset before the answer': both(unsure('502 upstream_reset')),
  // The second attempt has a connection of its own.
  'reset on a reused connection': both({ ...answered, attempts: [2, 2], marks: '?' }),
  'no HTTP': both(unsure('502 upstream_reset')),

  'HTTP 400': both(refused('400 upstream_invalid_request')),
  'HTTP 401': both(elsewhereFor('counts')('502 upstream_auth_failed')),
  'HTTP 403': both(elsewhereFor('counts')('502 upstream_auth_failed')),
  'HTTP 404': both(elsewhere('404 upstream_model_not_found')),
  'HTTP 408': both(again('502 upstream_error')),
  'HTTP 409': both(refused('409 upstream_invalid_request')),
  'HTTP 413': both(refused('413 upstream_request_too_large')),
  'HTTP 422': both(refused('422 upstream_invalid_request')),
  'context length': both(elsewhere('400 context_length_exceeded')),
  // The route does not list ContentFiltered.
  'content policy': both(refused('400 content_filtered')),
  'no money': both(elsewhereFor('at once')('502 upstream_quota_exhausted')),

  'HTTP 429': both(rateLimited),
  'HTTP 429, Retry-After: 1': both(later('429 upstream_rate_limited')),
  'HTTP 429, Retry-After: 0': both(rateLimited),
  // Longer than the route waits.
  'HTTP 429, Retry-After: 30': both(elsewhereFor('at once')('429 upstream_rate_limited')),
  'HTTP 429, Retry-After: a date, 30 s away': both(elsewhereFor('at once')('429 upstream_rate_limited')),
  'HTTP 429, Retry-After: a date that is past': both(rateLimited),
  'HTTP 429, retry-after-ms: 300': both(later('429 upstream_rate_limited')),
  'HTTP 429, Retry-After: -1': both(rateLimited),
  'HTTP 429, Retry-After: three years': both(rateLimited),
  'HTTP 429, x-ratelimit-reset': both(rateLimited),
  'HTTP 429, anthropic-ratelimit-reset': both(rateLimited),

  'HTTP 500': both(again('502 upstream_error')),
  'HTTP 502': both(again('502 upstream_error')),
  'HTTP 503': both(again('503 upstream_overloaded')),
  'HTTP 503, Retry-After: 30': both(elsewhereFor('counts')('503 upstream_overloaded')),
  'HTTP 504': both(again('502 upstream_error')),
  // What the status says holds, whatever becomes of the body.
  'HTTP 400, body cut': both(refused('400 upstream_invalid_request')),
  'HTTP 500, body without end': both(again('502 upstream_error')),
  'HTTP 529': both(again('503 upstream_overloaded')),

  'silence before the head': silent,
  'silence after the head': silent,
  stall: { streamed: broken('stream_idle_timeout'), whole: slow('504 request_deadline') },
  'white space without end': silent,

  'cut (FIN)': { streamed: broken('upstream_reset', '?~$'), whole: unsure('502 upstream_reset') },
  'cut (RST)': { streamed: broken('upstream_reset', '?~$'), whole: unsure('502 upstream_reset') },
  'ends too early': { streamed: broken('upstream_stream_truncated'), whole: badResponse },
  'chunk of a wrong size': { streamed: broken('upstream_reset', '?~$'), whole: unsure('502 upstream_reset') },
  'error in a 200': both(again('503 upstream_overloaded')),
  'no body': { streamed: again('502 upstream_stream_truncated'), whole: again('502 upstream_empty_answer') },
  'answer that says nothing': both(again('502 upstream_empty_answer', '$')),
  'HTML page': both(badResponse),
  // What can be read as what was asked for is taken; a stream cannot be told from its bytes.
  'wrong content type': { streamed: badResponse, whole: answered },
  'stream where none was asked for, and the reverse': both(badResponse),
  // A stream is whole with its last word.
  'content-length too long': { streamed: answered, whole: unsure('502 upstream_reset') },
  'content-length too short': { streamed: answered, whole: badResponse },
  redirect: both(elsewhereFor('counts')('502 upstream_redirect')),
  gzip: both(answered),
  'gzip, cut': both(badResponse),
  'gzip, but is not': both(badResponse),
  'encoding nobody knows': both(badResponse),
  '1xx before the answer': both(answered),
  trailers: both(answered),

  'silence after the first frame': streamed(slow('504 first_token_timeout'), slow('504 first_token_timeout', '$')),
  'comments without end': streamed(slow('504 first_token_timeout'), slow('504 first_token_timeout', '$')),
  'blank tokens without end': streamed(broken('request_deadline')),
  'cut before the first token': streamed(unsure('502 upstream_reset'), unsure('502 upstream_reset', '$')),
  'cut inside of a character': streamed(broken('upstream_stream_truncated')),
  'frame that is no JSON': streamed(broken('upstream_bad_response')),
  'error after content': streamed(broken('upstream_overloaded')),
  'no terminator': streamed(answered),
};

const faultNames = [...doorFaults, ...Object.keys(wireFaults), ...Object.keys(streamFaults)] as readonly FaultName[];

const manners = [true, false];
const cells: readonly Cell[] = faultNames.flatMap(fault =>
  (['openai', 'anthropic'] as const).flatMap(wire =>
    (['chat', 'messages'] as const).flatMap(dialect =>
      manners
        .filter(streamed => streamed || !(fault in streamFaults))
        .flatMap(streamed => [false, true].map((spared): Cell => ({ fault, wire, dialect, streamed, spared, client: 'raw' }))),
    ),
  ),
);

const expectedOf = ({ fault, wire, streamed }: Cell): Expected => {
  const manners = expected[fault];
  return streamed ? (wire === 'anthropic' && manners.anthropic) || manners.streamed : manners.whole!;
};

/** For each kind of end that a client can see, in each dialect and manner, the first cell that has it. */
const sdkCells: readonly Cell[] = [
  ...new Map(
    cells
      .filter(cell => !cell.spared)
      .toReversed()
      .map(cell => [`${expectedOf(cell).client} ${cell.dialect} ${cell.streamed}`, { ...cell, client: 'sdk' } as Cell]),
  ).values(),
];

let stage: FaultStage;
const answers = new Map<Cell, Answer>();
const breakers = new Map<Cell, Breaker>();
let rows: ReadonlyMap<string, readonly Row[]>;

before(async () => {
  stage = await openFaultStage([...cells, ...sdkCells]);
  await eachOf(cells, async cell => void answers.set(cell, await stage.ask(cell)));
  rows = await stage.rowsOf([...answers.values()].map(answer => answer.requestId));
  for (const cell of await stage.open()) breakers.set(cell, 'at once');
  const left = cells.filter(cell => !cell.spared && !breakers.has(cell) && expectedOf(cell).client !== 'answer');
  await eachOf(left, failMore);
  const open = await stage.open();
  for (const cell of left) if (open.has(cell)) breakers.set(cell, 'counts');
});

/** As many failures in a row as open a breaker, those that were before included. */
async function failMore(cell: Cell): Promise<void> {
  const each = expectedOf(cell).attempts[0];
  for (let failures = each; failures < FAILURES_THAT_OPEN; failures += each) await stage.ask(cell);
}
after(() => stage?.close());

/** Many wait for a timer most of the time: those that take longest first, and many at once. */
async function eachOf(all: readonly Cell[], run: (cell: Cell) => Promise<void>): Promise<void> {
  const isSlow = (cell: Cell) =>
    Number(expectedOf(cell).client.includes('timeout') || expectedOf(cell).client.includes('deadline'));
  const left = [...all].sort((a, b) => isSlow(a) - isSlow(b));
  const worker = async () => {
    for (let cell = left.pop(); cell; cell = left.pop()) await run(cell);
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}

// ------------------------------------------------------------ what was seen

/** Throws where the answer is not of the client's dialect, or a part could be taken for the whole. */
function clientView(cell: Cell, { status, headers, text, cleanly }: Answer): string {
  if (status !== 200) {
    assert.match(String(headers['content-type']), /^application\/json/, 'no SSE byte');
    assert.ok(cleanly);
    return `${status} ${codeIn(cell, JSON.parse(text))}`;
  }
  const said = cell.streamed ? streamView(cell, text, cleanly) : textIn(cell, JSON.parse(text));
  if (said === FIRST_SAID) return 'answer';
  return said === SECOND_SAID ? 'answer of the second' : said;
}

// biome-ignore lint/suspicious/noExplicitAny: assertions reach deep into bodies whose shape is what they check
type Body = Record<string, any>;

function codeIn({ dialect }: Cell, body: Body): string {
  const { message, type, code } = body.error;
  assert.ok(typeof message === 'string' && message !== '' && typeof type === 'string', JSON.stringify(body));
  if (dialect === 'messages') assert.equal(body.type, 'error');
  return String(code);
}

function textIn({ dialect }: Cell, body: Body): string {
  return dialect === 'chat' ? body.choices[0].message.content : body.content[0].text;
}

function streamView(cell: Cell, text: string, cleanly: boolean): string {
  const last = messagesIn(text).at(-1)!;
  const body = last.data === '[DONE]' ? {} : JSON.parse(last.data);
  if (body.error === undefined) {
    assert.ok(cleanly, text.slice(-300));
    assert.ok(isTerminated(text), text.slice(-300));
    return answerText(text);
  }
  assert.ok(!cleanly && !isTerminated(text) && !text.includes('[DONE]'), `no end: ${text.slice(-300)}`);
  if (cell.dialect === 'messages') assert.equal(last.event, 'error');
  const before = text.slice(0, text.lastIndexOf(cell.dialect === 'messages' ? 'event: error' : 'data: '));
  assert.match(answerText(before), /^First of\s*$/);
  return `part, then ${codeIn(cell, body)}`;
}

const rowView = ({ failure, possibly_billed, estimated, cost }: Row): string =>
  `${failure ?? 'ok'}${possibly_billed ? '?' : ''}${estimated ? '~' : ''}${(cost ?? 0) > 0 ? '$' : ''}`;

function outcomeOf(cell: Cell): Outcome {
  const answer = answers.get(cell)!;
  return {
    client: clientView(cell, answer),
    calls: answer.calls.length,
    rows: (rows.get(answer.requestId) ?? []).map(rowView),
    breaker: cell.spared ? undefined : (breakers.get(cell) ?? 'none'),
  };
}

// ------------------------------------------------------------ what must have been

function declaredOutcome(cell: Cell): Outcome {
  const { client, attempts, arrives, goesOn, breaker, marks } = expectedOf(cell);
  const made = attempts[cell.spared ? 1 : 0];
  const failed = client === 'answer' ? made - 1 : made;
  const cls = client === 'answer' ? 'upstream_reset' : client.split(' ').at(-1);
  const isAnswered = client === 'answer' || (goesOn && cell.spared);
  return {
    client: goesOn && cell.spared ? 'answer of the second' : client,
    calls: arrives ? made : 0,
    rows: [...Array<string>(failed).fill(`${cls}${marks}`), ...(isAnswered ? ['ok$'] : [])],
    breaker: cell.spared ? undefined : breaker,
  };
}

describe('the fault matrix', () => {
  for (const fault of faultNames) {
    test(`${fault}: ${expected[fault].streamed.client}`, () => {
      for (const cell of cells.filter(one => one.fault === fault))
        assert.deepEqual(outcomeOf(cell), declaredOutcome(cell), JSON.stringify(cell));
    });
  }

  test('is that of docs/faults.md', () => {
    const lines = cells
      .filter(cell => !cell.spared)
      .map((cell): Line => {
        const spared = cells.find(other => isSame(other, { ...cell, spared: true }))!;
        return { cell, alone: outcomeOf(cell), spared: outcomeOf(spared) };
      });
    const observed = documentOf(lines);
    const file = path.join(import.meta.dirname, '../../docs/faults.md');
    if (process.env.TOLLGATE_GOLDEN === 'write') writeFileSync(file, observed);
    assert.equal(observed, readFileSync(file, 'utf8'), 'TOLLGATE_GOLDEN=write writes it anew');
  });
});

const isSame = (a: Cell, b: Cell): boolean =>
  a.fault === b.fault && a.wire === b.wire && a.dialect === b.dialect && a.streamed === b.streamed && a.spared === b.spared;

describe('Retry-After', () => {
  const alone = (fault: FaultName) => cells.filter(cell => cell.fault === fault && !cell.spared);

  for (const [fault, ms] of [
    ['HTTP 429, Retry-After: 1', 1000],
    // The milliseconds win over the seconds beside them.
    ['HTTP 429, retry-after-ms: 300', 300],
  ] as const)
    test(`${fault}: the next attempt comes no sooner`, () => {
      for (const cell of alone(fault)) {
        const { calls } = answers.get(cell)!;
        for (const [i, at] of calls.entries()) if (i > 0) assert.ok(at - calls[i - 1]! >= ms - 5, `${at - calls[i - 1]!} ms`);
      }
    });

  test('is told to the client, rounded up to seconds and in milliseconds', () => {
    for (const [fault, seconds] of [
      ['HTTP 429, Retry-After: 30', 30],
      ['HTTP 429, Retry-After: 1', 1],
      ['HTTP 503, Retry-After: 30', 30],
      ['HTTP 429, Retry-After: 0', 0],
    ] as const)
      for (const cell of alone(fault)) {
        const { headers } = answers.get(cell)!;
        assert.deepEqual([headers['retry-after'], headers['retry-after-ms']], [String(seconds), String(seconds * 1000)], fault);
      }
    for (const cell of alone('HTTP 429, Retry-After: a date, 30 s away')) {
      const seconds = Number(answers.get(cell)!.headers['retry-after']);
      assert.ok(seconds > 20 && seconds <= 30, `${seconds}`);
    }
  });

  for (const fault of [
    'HTTP 429',
    'HTTP 429, Retry-After: -1',
    'HTTP 429, Retry-After: a date that is past',
    'HTTP 429, Retry-After: three years',
    'HTTP 429, x-ratelimit-reset',
    'HTTP 429, anthropic-ratelimit-reset',
  ] as const)
    test(`${fault}: none that could be believed, so none is told`, () => {
      for (const cell of alone(fault)) assert.equal(answers.get(cell)!.headers['retry-after'], undefined);
    });
});

// ------------------------------------------------------------ the same through the SDKs

describe('the SDKs', { concurrency: 16 }, () => {
  for (const cell of sdkCells) {
    const { client } = expectedOf(cell);
    const what = `${cell.dialect === 'chat' ? 'openai' : '@anthropic-ai/sdk'}, ${cell.streamed ? 'streamed' : 'whole'}`;
    test(`${what}: ${client} (${cell.fault})`, async () => {
      const asked = cell.dialect === 'chat' ? askOpenAI(cell) : askAnthropic(cell);
      if (client === 'answer') return assert.equal(await asked, FIRST_SAID);
      const error: Error & { status?: number } = await asked.then(
        text => assert.fail(`it answered ${JSON.stringify(text)}`),
        thrown => thrown,
      );
      const { APIError } = cell.dialect === 'chat' ? OpenAI : Anthropic;
      assert.ok(error instanceof APIError, `${error.constructor.name}: ${error.message}`);
      if (!client.startsWith('part')) assert.equal(error.status, Number(client.slice(0, 3)), error.message);
    });
  }
});

const question = [{ role: 'user' as const, content: 'Go on.' }];

async function askOpenAI(cell: Cell): Promise<string> {
  const { chat } = new OpenAI({ baseURL: `${stage.url}/v1`, apiKey: clientKey, maxRetries: 0 });
  const asked = { model: stage.modelOf(cell), messages: question };
  if (!cell.streamed) return (await chat.completions.create(asked)).choices[0]!.message.content ?? '';
  let text = '';
  for await (const { choices } of await chat.completions.create({ ...asked, stream: true }))
    text += choices[0]?.delta.content ?? '';
  return text;
}

async function askAnthropic(cell: Cell): Promise<string> {
  const { messages } = new Anthropic({ baseURL: stage.url, apiKey: clientKey, maxRetries: 0 });
  const asked = { model: stage.modelOf(cell), max_tokens: 100, messages: question };
  const reply = await (cell.streamed ? messages.stream(asked).finalMessage() : messages.create(asked));
  return reply.content.map(block => (block.type === 'text' ? block.text : '')).join('');
}
