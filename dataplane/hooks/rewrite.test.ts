// Events go in, events come out: the words of a stream are changed as those of the whole text would be, however it was cut.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findAll, replaced } from '#core/sensitive/finder.ts';
import { SENSITIVE_KINDS } from '#core/sensitive/kinds.ts';
import { Masks, wantedOf } from '#core/sensitive/masks.ts';
import { Frame } from './frame.ts';
import { RewriteStage } from './rewrite.ts';

const wanted = wantedOf(SENSITIVE_KINDS);

/** What comes out of a mask, event by event: [bytes, after how many events went in]. */
function masked(chunks: readonly string[]): {
  readonly out: readonly (readonly [text: string, at: number])[];
  readonly ended: boolean;
} {
  const masks = new Masks();
  const out: [string, number][] = [];
  let at = 0;
  let ended = false;
  const next = {
    push: (frame: Frame) => void out.push([frame.bytes().toString(), at]),
    end: () => {
      ended = true;
    },
  };
  const by = ({ kind, text }: { kind: (typeof SENSITIVE_KINDS)[number]; text: string }) => masks.placeholderOf(kind, text, true);
  const stage = new RewriteStage({ wanted, by, hidesProbabilities: false }, next);
  for (const chunk of chunks) {
    at++;
    for (const frame of Frame.ofStream(chunk)) stage.push(frame);
  }
  stage.end();
  return { out, ended };
}

const event = (content: string, index = 0) =>
  `data: ${JSON.stringify({ id: 'x', choices: [{ index, delta: { content }, finish_reason: null }] })}\n\n`;
const contentOf = (text: string, index = 0): string =>
  text
    .split('\n\n')
    .filter(one => one.startsWith('data: {'))
    .flatMap(one => JSON.parse(one.slice(6)).choices)
    .filter(choice => choice.index === index)
    .map(choice => choice.delta.content)
    .join('');
const maskedWhole = (text: string) => {
  const masks = new Masks();
  return replaced(text, findAll(text, wanted), ({ kind, text: value }) => masks.placeholderOf(kind, value, true));
};

const words = fc.constantFrom(
  ...[
    'jo@example.com',
    '4111 1111 1111 1111',
    '+1 415 555 2671',
    '8.8.8.8',
    'DE89 3704 0044 0532 0130 00',
    'Hello',
    ', ',
    ' ',
    '. ',
    '@',
  ],
  ...[
    '-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----',
    '\u2028',
    '密碼',
    '😀',
    '"',
    '\\',
    '\n',
    '[EMAIL_1]',
    '1',
    '+',
    '::',
  ],
);
const anyText = fc.array(words, { maxLength: 12 }).map(parts => parts.join(''));

describe('words that are masked as they pass by', () => {
  test('are those of the whole text, wherever it was cut; all events come out, in order', () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.nat({ max: 200 })), (text, cuts) => {
        const at = [0, ...cuts.map(cut => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
        const { out, ended } = masked([...pieces.map(piece => event(piece)), 'data: [DONE]\n\n']);
        assert.equal(contentOf(out.map(([one]) => one).join('')), maskedWhole(text));
        assert.equal(out.length, pieces.length + 1);
        assert.equal(out.at(-1)?.[0], 'data: [DONE]\n\n');
        assert.ok(ended);
      }),
      { numRuns: 500 },
    );
  });

  test('leave every event byte for byte as it was, in which nothing is found', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('Hello ', ' there', ', ', '', '1', '@ ', 'a.b ', '\u2028')), pieces => {
        const events = [
          ': comment\n\n',
          ...pieces.map(piece => event(piece)),
          'event: ping\ndata: {"type":"ping"}\n\n',
          'data: {bad\n\n',
        ];
        const all = events.join('');
        if (maskedWhole(pieces.join('')) === pieces.join(''))
          assert.equal(
            masked([all])
              .out.map(([one]) => one)
              .join(''),
            all,
          );
      }),
    );
  });

  test('of several choices at once are each their own', () => {
    const one = 'I am jo@example.com, hello.';
    const two = 'Call +1 415 555 2671, please.';
    const events = Array.from({ length: 40 }, (_, i) => event(one[i] ?? '', 0) + event(two[i] ?? '', 1));
    const text = masked(events)
      .out.map(([out]) => out)
      .join('');
    assert.equal(contentOf(text, 0), 'I am [EMAIL_1], hello.');
    assert.equal(contentOf(text, 1), 'Call [PHONE_1], please.');
  });

  test('of many choices, or of one that waits for the others, are each one text as well', () => {
    const text = 'I am jo@example.com, hello.';
    const choices = Array.from({ length: 24 }, (_, index) => index);
    const abreast = [...text].flatMap(letter => choices.map(index => event(letter, index)));
    const others = Array.from({ length: 50 }, () => event('word ', 1));
    for (const events of [abreast, [event('I am jo@exam'), ...others, event('ple.com, hello.')]]) {
      const out = masked(events)
        .out.map(([one]) => one)
        .join('');
      assert.equal(contentOf(out), 'I am [EMAIL_1], hello.');
    }
  });

  test('of a choice that is finished hold up no other one', () => {
    const finish = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`;
    const { out } = masked([event('Yes', 0), event('No, ', 1), finish, event('not now. ', 1)]);
    assert.deepEqual(
      out.map(([, at]) => at),
      [3, 3, 3, 4],
    );
  });

  test('are found where a provider calls every event the last one', () => {
    const last = (content: string) => event(content).replace('"finish_reason":null', '"finish_reason":"null"');
    const out = masked(['I am jo@exam', 'ple.com, ', 'hello.'].map(last))
      .out.map(([one]) => one)
      .join('');
    assert.equal(contentOf(out), 'I am [EMAIL_1], hello.');
  });

  test('are found however an event is written', () => {
    const json = JSON.stringify({ choices: [{ index: 0, delta: { content: 'jo@example.com' } }] });
    for (const data of [`  ${json}`, `\t${json} `, `[${json}]`, json.replaceAll(',', ',\ndata: ')]) {
      const { out } = masked([`data: ${data}\n\n`]);
      assert.match(out[0]![0], /\[EMAIL_1\]/, data);
    }
  });

  test('stay JSON in the arguments of a tool, also where a number was found', () => {
    const json = '{"to":"jo@example.com","card":4111111111111111,"\\"card\\"":"4111111111111111"}';
    const call = (piece: string) => ({ delta: { tool_calls: [{ index: 0, function: { arguments: piece } }] } });
    for (let cut = 0; cut <= json.length; cut++) {
      const events = [json.slice(0, cut), json.slice(cut)].map(piece => {
        const chunk = { choices: [{ index: 0, ...call(piece) }] };
        return `data: ${JSON.stringify(chunk)}\n\n`;
      });
      const all = masked(events).out.map(([one]) => JSON.parse(one.slice(6)).choices[0].delta.tool_calls[0].function.arguments);
      const { card, ...others } = JSON.parse(all.join(''));
      assert.deepEqual([card, others], ['[CREDIT_CARD_1]', { to: '[EMAIL_1]', '"card"': '[CREDIT_CARD_1]' }], `${cut}`);
    }
  });

  test('go on as soon as a word is over', () => {
    const { out } = masked(['Good ', 'morn', 'ing, ', 'Bob', ' is here'].map(piece => event(piece)));
    assert.deepEqual(
      out.map(([, at]) => at),
      [1, 3, 3, 5, 5],
    );
  });

  test('of a text that does not go on wait for no more than a few events of another', () => {
    const thought = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { reasoning_content: 'so be it' } }] })}\n\n`;
    const { out } = masked([thought, ...Array.from({ length: 40 }, () => event('word '))]);
    assert.ok(out[0]![1] < 20, String(out[0]![1]));
  });

  test('that are forbidden let nothing out that comes after, nor the event they begin in', () => {
    const out: string[] = [];
    let why = 0;
    const next = { push: (frame: Frame) => void out.push(frame.bytes().toString()), end: () => out.push('end') };
    const forbid = () => {
      why++;
      return undefined;
    };
    const stage = new RewriteStage({ wanted, by: forbid, hidesProbabilities: false }, next);
    for (const piece of ['It is ', 'jo@exam', 'ple.com', ' and ', 'more '])
      for (const frame of Frame.ofStream(event(piece))) stage.push(frame);
    stage.end();
    assert.deepEqual([contentOf(out.join('')), why], ['It is ', 1]);
  });
});
