// Answers that cite, written for clients of every dialect and read again by the decoder of the same dialect: nothing is lost that the wire has
// words for, and words stand where they stood. What only some wires can say is in core/chat/citations.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Citation, CitedSource } from '#core/chat/citations/citation.ts';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import type { AssistantPart, TextPart } from '#core/chat/request.ts';
import { eventsOf as eventsOfReply } from '#core/chat/unfold.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { bedrockConverse } from '#dataplane/frontends/bedrock-converse/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { gemini } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { compatibleProfile, openAIDialect, responsesWire } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
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
