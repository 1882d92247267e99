// Answers that cite, written for clients of every dialect and read again by the decoder of the same dialect: nothing is lost that the wire has
// words for, and words stand where they stood. What only some wires can say is in core/chat/citations.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Citation, CitedSource } from '#core/chat/citations/citation.ts';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import type { AssistantPart, TextPart } from '#core/chat/request.ts';
import { aRequest } from '#core/chat/testing.ts';
import { eventsOf as eventsOfReply } from '#core/chat/unfold.ts';
import type { Parsed } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { bedrockConverse } from '#dataplane/frontends/bedrock-converse/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { gemini } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { targetOf as anthropicTarget } from '#dataplane/providers/anthropic/testing.ts';
import { converse, converseOfClaude } from '#dataplane/providers/bedrock/converse.ts';
import { targetOf as bedrockTarget, CLAUDE, NOVA } from '#dataplane/providers/bedrock/testing.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { targetOf as googleTarget } from '#dataplane/providers/gemini/testing.ts';
import { compatibleProfile, openAIDialect, responsesWire } from '#dataplane/providers/openai/index.ts';
import type { EncodedRequest, Provider, Target } from '#dataplane/providers/provider.ts';
import { anthropicInvalid } from '#simulator/wires/anthropic-validate.ts';
import { converseInvalid } from '#simulator/wires/bedrock-validate.ts';
import { encodedFor, eventsOf, messagesIn, replyContext } from '#test/support/decoding.ts';
import { valueIn } from '#test/support/parsed.ts';

type Reader = Pick<Provider, 'streamDecoder' | 'decodeReply'>;
type Dialect = {
  readonly frontend: Frontend;
  readonly provider: Reader;
  /** Knows which words of a text are meant, and no blocks. */
  readonly hasPlaces: boolean;
};

const responses = responsesWire(compatibleProfile, 'other', () => ({ origin: '', path: '', headers: {} }));
const dialects: readonly Dialect[] = [
  { frontend: openAIChat, provider: openAIDialect, hasPlaces: true },
  { frontend: openAIResponses, provider: responses, hasPlaces: true },
  { frontend: gemini({ model: 'm', stream: true }), provider: generateContent, hasPlaces: true },
  { frontend: anthropicMessages, provider: anthropic as Reader, hasPlaces: false },
  { frontend: bedrockConverse({ model: 'm', stream: true }), provider: converse as Reader, hasPlaces: false },
];

const url = (n: number): CitedSource => ({ kind: 'url', url: `https://a.test/${n}`, title: `A ${n}` });
const text = fc.array(fc.constantFrom('one ', 'zwölf ', '漢字 ', '😀 ', 'end.'), { minLength: 1, maxLength: 8 });

/** A text in pieces, of which some rest on something. */
const citedText = fc
  .tuple(text, fc.array(fc.tuple(fc.nat(7), fc.nat(7), fc.boolean()), { maxLength: 4 }))
  .map(([words, cites]): TextPart => {
    const citations = cites.map(([from, to, isWhole], n): Citation => {
      const start = from % words.length;
      const end = start + 1 + (to % (words.length - start));
      const place = (count: number) => words.slice(0, count).join('').length;
      return { source: url(n), ...(!isWhole && { span: { start: place(start), end: place(end) } }) };
    });
    return { kind: 'text', text: words.join(''), ...(citations.length > 0 && { citations }) };
  });

const reply = (...parts: AssistantPart[]): ChatReply => ({ id: 'i', model: 'm', parts, finish: { reason: 'stop' } });

const texts = ({ parts }: ChatReply): TextPart[] => parts.filter(part => part.kind === 'text');
const said = (answer: ChatReply): string =>
  texts(answer)
    .map(part => part.text)
    .join('');

/** What is cited, for which words; a citation of a whole text is of its words. */
const cited = (answer: ChatReply, hasPlaces: boolean): string[] =>
  texts(answer)
    .flatMap(({ text, citations = [] }) =>
      citations.map(({ source, span = { start: 0, end: text.length } }) => {
        return JSON.stringify([source, hasPlaces ? text.slice(span.start, span.end) : '']);
      }),
    )
    .sort();

const throughStream = ({ frontend, provider }: Dialect, events: readonly ChatEvent[]): ChatReply =>
  fold(eventsOf(provider, messagesIn([Buffer.from(encodedFor(frontend, events))]))).reply;

const throughWhole = ({ frontend, provider }: Dialect, answer: ChatReply): ChatReply =>
  valueIn(provider.decodeReply(JSON.parse(frontend.encodeReply(answer, replyContext).body)));

for (const dialect of dialects)
  describe(`a cited answer in ${dialect.frontend.dialect}`, () => {
    for (const [manner, through] of [
      ['streamed', (answer: ChatReply) => throughStream(dialect, eventsOfReply(answer))],
      ['whole', (answer: ChatReply) => throughWhole(dialect, answer)],
    ] as const)
      test(`${manner}, is read as it was written`, () =>
        fc.assert(
          fc.property(citedText, part => {
            const answer = reply(part);
            const read = through(answer);
            assert.equal(said(read), part.text);
            assert.deepEqual(cited(read, dialect.hasPlaces), cited(answer, dialect.hasPlaces));
          }),
        ));

    test('has its text at once: citations wait for it, and never the text for them', () => {
      const { frontend } = dialect;
      const encoder = frontend.streamEncoder(replyContext);
      const push = (event: ChatEvent) => encoder.push(event);
      push({ kind: 'start', id: 'i', model: 'm' });
      push({ kind: 'text-start' });
      push({ kind: 'citation', citation: { source: url(0) } });
      assert.match(push({ kind: 'text-delta', text: 'Early' }), /Early/);
      push({ kind: 'citation', citation: { source: url(1), span: { start: 0, end: 5 } } });
      assert.match(push({ kind: 'text-delta', text: ' bird' }), /bird/);
    });
  });

test('blocks end where the words end that rest on something, in answers that are whole and that are streamed', () => {
  const parts = ['It is so', ' (a.test)', '\n', 'And so on.'];
  const citation: Citation = { source: url(1), span: { start: 8, end: 17 } };
  const wants = (blocks: readonly string[], ...ofCited: string[]) => ({ blocks, ofCited });
  const seen = (answer: ChatReply) =>
    wants(
      texts(answer).map(part => part.text),
      ...texts(answer).flatMap(part => (part.citations ? [part.text] : [])),
    );
  const streamed: ChatEvent[] = [
    { kind: 'start', id: 'i', model: 'm' },
    { kind: 'text-start' },
    { kind: 'text-delta', text: parts[0]! },
    { kind: 'text-delta', text: parts[1]! },
    { kind: 'citation', citation },
    { kind: 'text-delta', text: parts[2]! },
    { kind: 'text-delta', text: parts[3]! },
    { kind: 'part-end' },
    { kind: 'finish', finish: { reason: 'stop' } },
    { kind: 'end' },
  ];
  for (const dialect of dialects.filter(({ hasPlaces }) => !hasPlaces)) {
    const whole = throughWhole(dialect, reply({ kind: 'text', text: parts.join(''), citations: [citation] }));
    assert.deepEqual(seen(whole), wants(['It is so', ' (a.test)', '\nAnd so on.'], ' (a.test)'));
    // What has gone out is not taken back; white space alone is no block.
    assert.deepEqual(seen(throughStream(dialect, streamed)), wants(['It is so (a.test)\n', 'And so on.'], 'It is so (a.test)\n'));
  }
});

test('documents of the request are the same to clients of Messages and Converse', () => {
  const source: CitedSource = { kind: 'document', index: 1, title: 'Rates', place: { unit: 'pages', start: 2, end: 3 } };
  const answer = reply({ kind: 'text', text: 'Two.', citations: [{ source, quote: 'II' }] });
  for (const dialect of dialects.filter(({ hasPlaces }) => !hasPlaces)) {
    assert.deepEqual(texts(throughWhole(dialect, answer)), texts(answer));
    assert.deepEqual(texts(throughStream(dialect, eventsOfReply(answer))), texts(answer));
  }
});

// ---------------------------------------------------------------- what comes back

const page = { kind: 'url', url: 'https://a.test/', title: 'A' } as const;
const rates: CitedSource = { kind: 'document', index: 0, title: 'Rates', place: { unit: 'characters', start: 0, end: 4 } };

const viewOf = (body: object) =>
  valueIn(scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 128, interpreted: new Set(), isUtf8 }));

describe('a turn that cites and comes back with the history', () => {
  const fromWeb: TextPart = { kind: 'text', text: '😀 Two.', citations: [{ source: page, span: { start: 3, end: 7 } }] };
  const ofDocument: TextPart = { kind: 'text', text: 'Two.', citations: [{ source: rates, quote: 'II' }] };
  const asked = { role: 'user', content: 'How much?' };
  const bodyOf = (frontend: Frontend, part: TextPart) => JSON.parse(frontend.encodeReply(reply(part), replyContext).body);
  const cases: [Frontend, TextPart, (body: ReturnType<typeof bodyOf>) => object][] = [
    [openAIChat, fromWeb, ({ choices }) => ({ model: 'm', messages: [asked, choices[0].message] })],
    [openAIResponses, fromWeb, ({ output }) => ({ model: 'm', input: [asked, ...output] })],
    [
      anthropicMessages,
      ofDocument,
      ({ content }) => ({ model: 'm', max_tokens: 9, messages: [asked, { role: 'assistant', content }] }),
    ],
    [
      bedrockConverse({ model: 'm', stream: false }),
      ofDocument,
      ({ output }) => ({ messages: [{ role: 'user', content: [{ text: 'How much?' }] }, output.message] }),
    ],
  ];
  for (const [frontend, part, request] of cases)
    test(`is read as it was, in ${frontend.dialect}`, () => {
      const body = request(bodyOf(frontend, part));
      const { messages } = valueIn(frontend.decode(viewOf(body)));
      const last = messages.at(-1)!;
      assert.deepEqual(last.role === 'assistant' && last.content, [part]);
    });

  test('with nonsense for citations is a turn all the same', () => {
    for (const citations of [7, [7], [{}], [{ type: 'url_citation', url_citation: 7 }]]) {
      const message = { role: 'assistant', content: 'Two.', annotations: citations };
      const content = [{ type: 'text', text: 'Two.', citations }];
      for (const [frontend, body] of [
        [openAIChat, { model: 'm', messages: [message] }],
        [anthropicMessages, { model: 'm', max_tokens: 9, messages: [{ role: 'assistant', content }] }],
      ] as const) {
        const { messages } = valueIn(frontend.decode(viewOf(body)));
        assert.deepEqual(messages[0]!.content, [{ kind: 'text', text: 'Two.' }]);
      }
    }
  });

  const request = aRequest({
    messages: [
      { role: 'user', content: [{ kind: 'document', source: { kind: 'text', text: 'II, and no more' }, title: 'Rates' }] },
      { role: 'assistant', content: [{ ...fromWeb, citations: [...fromWeb.citations!, ...ofDocument.citations!] }] },
      { role: 'user', content: [{ kind: 'text', text: 'Sure?' }] },
    ],
  });
  const written = (encoded: Parsed<EncodedRequest>): string => {
    const { body, dropped } = valueIn(encoded);
    assert.deepEqual(dropped, []);
    return JSON.stringify(body);
  };

  test('goes to Anthropic and to Claude at Bedrock with what is in the request', () => {
    const body = written(anthropic.encode(request, anthropicTarget({ dropUnsupported: false })));
    assert.deepEqual(JSON.parse(body).messages[1].content, [
      {
        type: 'text',
        text: '😀 Two.',
        citations: [
          {
            type: 'char_location',
            document_index: 0,
            document_title: 'Rates',
            start_char_index: 0,
            end_char_index: 4,
            cited_text: 'II',
          },
        ],
      },
    ]);
    assert.equal(anthropicInvalid(JSON.parse(body), '2023-06-01', 'messages'), undefined);
    const claude = written(converse.encode(request, bedrockTarget({ upstreamName: CLAUDE, dropUnsupported: false })));
    const location = { documentChar: { documentIndex: 0, start: 0, end: 4 } };
    assert.deepEqual(JSON.parse(claude).messages[1].content, [
      {
        citationsContent: {
          content: [{ text: '😀 Two.' }],
          citations: [{ title: 'Rates', location, sourceContent: [{ text: 'II' }] }],
        },
      },
    ]);
    assert.equal(converseInvalid(JSON.parse(claude), CLAUDE), undefined);
  });

  test('goes to a provider of Responses with addresses', () => {
    const target = {
      provider: { parameters: { dropUnsupported: false, drop: [], set: {} } },
      model: { name: 'm', upstreamName: 'gpt-5-pro', capabilities: [] },
    } as unknown as Target;
    const body = written(
      responses.encode(
        aRequest({ messages: [{ role: 'assistant', content: request.messages[1]!.content as TextPart[] }] }),
        target,
      ),
    );
    const annotation = { type: 'url_citation', start_index: 2, end_index: 6, url: page.url, title: 'A' };
    assert.deepEqual(JSON.parse(body).input[0].content, [{ type: 'output_text', text: '😀 Two.', annotations: [annotation] }]);
  });

  test('goes to all others as its words alone', () => {
    const nova = written(converse.encode(request, bedrockTarget({ upstreamName: NOVA, dropUnsupported: false })));
    assert.deepEqual(JSON.parse(nova).messages[1].content, [{ text: '😀 Two.' }]);
    const turn = aRequest({ messages: [...aRequest().messages, request.messages[1]!] });
    assert.doesNotMatch(written(generateContent.encode(turn, googleTarget())), /a\.test|Rates/);
  });

  test("leaves behind what Anthropic's models did not find themselves", () => {
    const cited = { role: 'assistant', content: bodyOf(anthropicMessages, fromWeb).content };
    const body = { model: 'm', max_tokens: 9, messages: [asked, cited] };
    assert.ok(anthropic.isForeign(Buffer.from(JSON.stringify(body))));
    const encoded = written(anthropic.encode(aRequest({ dialect: 'anthropic-messages', body }), anthropicTarget()));
    assert.deepEqual(JSON.parse(encoded).messages[1].content, [
      { type: 'text', text: '😀 ', citations: null },
      { type: 'text', text: 'Two.' },
    ]);

    const { output } = bodyOf(bedrockConverse({ model: 'm', stream: false }), fromWeb);
    const conversation = { messages: [{ role: 'user', content: [{ text: 'Hi' }] }, output.message] };
    const isForeign = ({ isForeign: asks }: Pick<Provider, 'isForeign'>) => asks(Buffer.from(JSON.stringify(conversation)));
    assert.deepEqual([isForeign(converse), isForeign(converseOfClaude)], [false, true]);
    const clean = written(
      converse.encode(aRequest({ dialect: 'bedrock-converse', body: conversation }), bedrockTarget({ upstreamName: CLAUDE })),
    );
    assert.deepEqual(JSON.parse(clean).messages[1].content, [{ text: '😀 ' }, { text: 'Two.' }]);
  });
});
