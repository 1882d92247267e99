import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cpuMs } from '#test/support/cpu-time.ts';
import { isRandom } from './api-key.ts';
import { Finder, type Found, findAll, replaced, type Wanted } from './finder.ts';
import { SENSITIVE_KINDS, type SensitiveKind } from './kinds.ts';
import { Masks, wantedOf } from './masks.ts';
import { luhn, mod97 } from './payment.ts';

const all = wantedOf(SENSITIVE_KINDS);
const found = (text: string) => findAll(text, all).map(match => `${match.kind} ${match.text}`);

/** Joined here, so that who looks through this file for secrets finds none. */
const join = (...parts: readonly string[]) => parts.join('');

const KEY = join('-----BEGIN RSA PRIVATE', ' KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE', ' KEY-----');
// biome-ignore format: one case a line would hide the table
const things: Readonly<Record<SensitiveKind, readonly string[]>> = {
  PrivateKey: [
    KEY, KEY.replaceAll('RSA ', ''), KEY.replaceAll('RSA ', 'OPENSSH '), KEY.replaceAll('\n', '\\n'),
    join('-----BEGIN PGP PRIVATE', ' KEY BLOCK-----\n\nlQOY\n-----END PGP PRIVATE', ' KEY BLOCK-----'),
  ],
  APIKey: [
    join('sk', '-aB3dE5fG7hI9jK1lM3nO5pQ7'), join('sk-proj', '-aB3_dE5-fG7hI9jK1lM3nO5'), join('sk-ant', '-api03-aB3dE5fG7hI9jK1lM3nO'),
    join('AKIA', 'IOSFODNN7EXAMPLE'), join('gh', 'p_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5'), join('AIza', 'SyA-bC1dE2fG3hI4jK5lM6nO7pQ8rS9tU0v'),
    join('xo', 'xb-1234567890-aBcDeFgHiJkL'), join('sk', '_live_aB3dE5fG7hI9jK1lM3nO5'), join('hf', '_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW'),
    join('eyJ', 'hbGciOiJIUzI1NiJ9.eyJ', 'zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P'),
  ],
  Email: ['a@b.co', 'john.doe+tag@mail.example.com', "o'hara@example.org", 'x_y-z%1@sub-domain.example.museum', 'me@xn--80ak6aa92e.com',
    'josé@example.com', 'jose\u0301@example.com', 'user@müller.de', 'john.doe%40example.com', 'john＠example.com',
  ],
  CreditCard: [
    '4111111111111111', '4111 1111 1111 1111', '5555-5555-5555-4444', '378282246310005', '3782 822463 10005', '6011111111111117',
    '30569309025904', '3530111333300000', '2223003122003222', '4222222222222',
    '4111\u00a01111\u00a01111\u00a01111', '5555\u20115555\u20115555\u20114444', '４１１１１１１１１１１１１１１１',
  ],
  IBAN: [
    'DE89370400440532013000', 'DE89 3704 0044 0532 0130 00', 'DE89-3704-0044-0532-0130-00', 'GB29NWBK60161331926819',
    'gb29nwbk60161331926819', 'NO9386011117947',
  ],
  Phone: [
    '+14155552671', '+1 415 555 2671', '+49 (30) 1234-5678', '+44 20 7946 0958', '+33.1.23.45.67.89',
    '+49\u00a030\u202f1234\u20105678', '+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧',
  ],
  IPAddress: ['192.0.2.17', '8.8.8.8', '2001:db8::1', 'fe80::1ff:fe23:4567:890a', '2001:0db8:85a3:0000:0000:8a2e:0370:7334', '64:ff9b::192.0.2.33'],
};

// biome-ignore format: one case a line would hide the table
const nothing = [
  '', 'Dear Alice, it is 12:34:56 and 3.14 is less than 22/7.', 'sk-learn-pipeline-transformer-example', 'task-force-of-twenty-people',
  join('sk', '-aaaaaaaaaaaaaaaaaaaaaaaa1'), 'a@b', '@alice', 'user@localhost', 'foo@bar.', 'logo@2x.png', 'x@y.1', '4111111111111112', '41111111111111111',
  '4111 11111111 1111', '1234567890123456', 'DE89370400440532013001', 'DE8937040044053201300', 'XX89370400440532013000',
  '+0123456789', '+1234567', '1+14155552671', '+1234567890123456789', '1.2.3', '1.2.3.4.5', '256.1.1.1', '127.0.0.1', '0.0.0.0', '::1',
  'std::vector<int>', 'a::b', 'Foo::Bar::baz', 'dead::beef', '12:34:56:78', 'AKIAIOSFODNN7EXAMPLEX', 'eyJhbGciOiJIUzI1NiJ9.abc.def',
  '0.4532015112830366', '-0.5555555555554444', '12.378282246310005',
  '-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----', '-----BEGIN PUBLIC KEY-----', '550e8400-e29b-41d4-a716-446655440000',
  'v1.2.3-beta.4', '[EMAIL_1]', '\u2028\u2029', '100,000.00 and 2024-11-21T21:43:31Z', 'commit 3446006b2c1f0e9d8a7b6c5d4e3f2a1b0c9d8e7f',
];

describe('what is found', () => {
  for (const kind of SENSITIVE_KINDS)
    test(`${kind}: by itself, in a sentence, next to signs and letters of other scripts`, () => {
      for (const thing of things[kind]) {
        const expected = [`${kind} ${thing}`];
        for (const around of [
          '{}',
          'It is {}, she said.',
          '"{}"',
          '<{}>',
          '({})',
          'key={};',
          '\n{}\n',
          '密碼{}嗎',
          '😀{}😀',
          '\\n{}',
          '\\u003c{}\\u003e',
          'x\\u0026{}\\u0026',
        ])
          assert.deepEqual(
            found(around.replace('{}', () => thing)),
            expected,
            around.replace('{}', () => thing),
          );
      }
    });

  test('nothing in what only looks alike', () => {
    for (const text of nothing) assert.deepEqual(found(text), [], text);
  });

  test('several, one after the other; a full stop is no part of any', () => {
    assert.deepEqual(found('a@b.co, c@d.org. Call +14155552671. From 8.8.8.8.'), [
      'Email a@b.co',
      'Email c@d.org',
      'Phone +14155552671',
      'IPAddress 8.8.8.8',
    ]);
  });

  test('a card is found among other numbers', () => {
    assert.deepEqual(found('2024 4111 1111 1111 1111 2025'), ['CreditCard 4111 1111 1111 1111']);
  });

  test('a private key that does not end is found to the end of the text, and no further than its bound', () => {
    const cut = KEY.slice(0, -30);
    assert.deepEqual(found(cut), [`PrivateKey ${cut}`]);
    const [match] = findAll(cut + 'x'.repeat(100_000), all);
    assert.equal(match?.end, 16_384);
  });

  test('a token of the size that those have that name all groups of a person', () => {
    const token = join('eyJ', 'hbGciOiJIUzI1NiJ9.eyJ', 'aB3dE5fG7h'.repeat(900), '.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P');
    assert.deepEqual(found(`Bearer ${token}.`), [`APIKey ${token}`]);
  });

  test('only kinds that are asked for', () => {
    assert.deepEqual(
      findAll('a@b.co 8.8.8.8', wantedOf(['IPAddress'])).map(({ text }) => text),
      ['8.8.8.8'],
    );
  });
});

test('check digits', () => {
  for (const digits of ['4111111111111111', '79927398713']) {
    assert.ok(luhn(digits));
    for (let i = 0; i < digits.length; i++)
      assert.ok(!luhn(digits.slice(0, i) + String((Number(digits[i]) + 1) % 10) + digits.slice(i + 1)));
  }
  assert.equal(mod97('DE89370400440532013000'), 1);
  assert.notEqual(mod97('DE89370400440532013010'), 1);
});

test('words and repetition are no chance', () => {
  assert.ok(isRandom('aB3dE5fG7hI9jK1lM3nO5pQ7'));
  assert.ok(!isRandom('transformer'));
  assert.ok(!isRandom('1111111111111111a'));
});

/** Texts in which there is much to find, and much that nearly is. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...Object.values(things).flat(), ...nothing),
      fc.constantFrom(
        ' ',
        '.',
        ',',
        '-',
        '+',
        '@',
        ':',
        '::',
        '[',
        ']',
        '\\n',
        '\\u003c',
        '\\u00',
        '\u00a0',
        '"',
        '4',
        'DE',
        'sk-',
        'eyJ',
        '-----BEGIN ',
        '嗎',
        '😀',
      ),
      fc.string({ maxLength: 8 }),
    ),
    { maxLength: 12 },
  )
  .map(parts => parts.join(''));

function inPieces(text: string, cuts: readonly number[], wanted: readonly Wanted<SensitiveKind>[]): Found<SensitiveKind>[] {
  const finder = new Finder(wanted);
  const at = [0, ...cuts.map(cut => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  const matches = at.slice(1).flatMap((end, i) => {
    const now = finder.push(text.slice(at[i], end));
    assert.ok(finder.decided <= end);
    return now;
  });
  return [...matches, ...finder.end()];
}

describe('a text in pieces', () => {
  test('has the same in it as the whole text, wherever it is cut', () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.nat(), { maxLength: 6 }), (text, cuts) => {
        assert.deepEqual(inPieces(text, cuts, all), findAll(text, all));
      }),
      { numRuns: 2000 },
    );
  });

  test('also letter by letter', () => {
    fc.assert(
      fc.property(anyText, text => {
        const letters = Array.from({ length: text.length }, (_, i) => i);
        assert.deepEqual(inPieces(text, letters, all), findAll(text, all));
      }),
      { numRuns: 500 },
    );
  });

  test('each thing is found however it is cut in two', () => {
    for (const thing of Object.values(things).flat())
      for (let cut = 0; cut <= thing.length; cut++)
        assert.deepEqual(
          inPieces(`It is ${thing} now`, [6 + cut], all).map(({ text }) => text),
          [thing],
        );
  });

  test('ordinary words wait for their end, no longer', () => {
    const finder = new Finder(all);
    finder.push('Good morning, Ali');
    assert.equal(finder.decided, 'Good morning, '.length);
    finder.push('ce! ');
    assert.equal(finder.decided, 'Good morning, Alice! '.length);
  });
});

test('any text takes time in proportion to its length', () => {
  // Each repeats what a detector has to look furthest for, without ever being found.
  const hostile = [
    'a.',
    "a'",
    'a@',
    'a@a-',
    'a@a.',
    '1.',
    '1:',
    '4 ',
    '4111 ',
    '4-',
    '+1 ',
    '+1(',
    'DE89 ',
    'DE89A',
    'sk-',
    'sk-a',
    'eyJ',
    'eyJ.',
    'eyJ-',
    'sk-ant-1',
    '\\u',
    '\\u00',
    'eyJaaaaaaaa.',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY',
    '-',
    '[',
    '\\n',
    `${'a'.repeat(64)}@`,
    `a@${'a-'.repeat(120)}.`,
  ];
  for (const unit of hostile) {
    const time = (length: number): number => cpuMs(() => findAll(unit.repeat(Math.ceil(length / unit.length)), all));
    const small = time(8_000);
    const large = time(64_000);
    // Eight times the text; sixty-four times the time would be quadratic.
    assert.ok(
      large < small * 30 + 50,
      `${JSON.stringify(unit.slice(0, 30))}: ${small.toFixed(1)} ms, then ${large.toFixed(1)} ms`,
    );
  }
});

describe('masks', () => {
  const mask = (text: string, masks: Masks) =>
    replaced(text, findAll(text, all), ({ kind, text: value }) => masks.placeholderOf(kind, value, true));
  const restore = (text: string, masks: Masks) =>
    replaced(text, findAll(text, [masks.wanted]), match => masks.valueOf(match.text)!);

  test('the same value has the same placeholder, another one has another', () => {
    const masks = new Masks();
    assert.equal(mask('a@b.co, c@d.org, a@b.co from 8.8.8.8', masks), '[EMAIL_1], [EMAIL_2], [EMAIL_1] from [IP_ADDRESS_1]');
    assert.equal(mask('c@d.org', masks), '[EMAIL_2]');
  });

  test('what was masked comes back, and nothing else is touched', () => {
    fc.assert(
      fc.property(
        anyText.filter(text => !text.includes('[')),
        text => {
          const masks = new Masks();
          assert.equal(restore(mask(text, masks), masks), text);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a text without anything sensitive stays as it is', () => {
    for (const text of nothing) assert.equal(mask(text, new Masks()), text);
  });

  test('only what is to come back does', () => {
    const masks = new Masks();
    const placeholders = [masks.placeholderOf('Email', 'a@b.co', false), masks.placeholderOf('Email', 'c@d.org', true)];
    assert.equal(restore(placeholders.join(' '), masks), '[EMAIL_1] c@d.org');
  });

  test('what looks like a placeholder in the request comes back as what it is', () => {
    const text = 'The log has [EMAIL_1], [EMAIL_2 and [EMAIL_4]; I am a@b.co, he is c@d.org, she e@f.net.';
    const masks = new Masks({ asked: () => text });
    assert.equal(
      mask(text, masks),
      'The log has [EMAIL_1], [EMAIL_2 and [EMAIL_4]; I am [EMAIL_2], he is [EMAIL_3], she [EMAIL_5].',
    );
    assert.equal(restore(mask(text, masks), masks), text);
  });

  test('of a request that goes on with others are its own', () => {
    const masks = new Masks({ tag: '0A9' });
    assert.equal(mask('a@b.co 4111111111111111', masks), '[EMAIL_0A9_1] [CREDIT_CARD_0A9_1]');
    assert.equal(restore('[EMAIL_1] [EMAIL_0A9_1]', masks), '[EMAIL_1] a@b.co');
  });

  test('placeholders that nobody gave out stay', () => {
    const masks = new Masks();
    mask('a@b.co', masks);
    assert.equal(restore('[EMAIL_1] [EMAIL_2] [EMAIL_1 [X]', masks), 'a@b.co [EMAIL_2] [EMAIL_1 [X]');
  });
});
