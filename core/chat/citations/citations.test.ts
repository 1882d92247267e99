// Citations as the wires have them: what is written in one and read again in it is the same, and places in a text are where they were.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UNSIGNED } from '../foreign.ts';
import { anthropicCitation, anthropicCitationParam, readAnthropicCitation } from './anthropic.ts';
import { type Citation, type CitedSource, converted, spanIn } from './citation.ts';
import { converseCitation, readConverseCitation } from './converse.ts';
import { groundingOf, readFetched, readGrounding } from './google.ts';
import { Measure } from './measure.ts';
import { chatAnnotation, readAnnotation, readSources, responsesAnnotation } from './openai.ts';
import { segmentsOf } from './segments.ts';

const word = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', ' ', 'é', '漢', '😀', '\u2028') });
const index = fc.nat(9);
const range = fc.tuple(index, index).map(([start, length]) => ({ start, end: start + length + 1 }));
const place = fc
  .tuple(range, fc.constantFrom('characters', 'pages', 'blocks'))
  .map(([span, unit]) => ({ ...span, unit }) as const);
const url = fc.record(
  { kind: fc.constant('url' as const), url: word.map(path => `https://a.test/${path}`), title: word, proof: word },
  { requiredKeys: ['kind', 'url'], noNullPrototype: true },
);
const document = fc.record(
  { kind: fc.constant('document' as const), index, title: word, fileId: word, place },
  { requiredKeys: ['kind', 'index', 'place'], noNullPrototype: true },
);
const result = fc.record(
  {
    kind: fc.constant('search-result' as const),
    source: word,
    title: word,
    found: fc.tuple(index, range).map(([at, blocks]) => ({ index: at, blocks })),
  },
  { requiredKeys: ['kind', 'source', 'found'], noNullPrototype: true },
);
const file = fc.record(
  { kind: fc.constant('file' as const), id: word, name: word, container: word },
  { requiredKeys: ['kind', 'id'], noNullPrototype: true },
);
const citing = (...sources: fc.Arbitrary<CitedSource>[]) =>
  fc.record(
    { source: fc.oneof(...sources), quote: word },
    { requiredKeys: ['source'], noNullPrototype: true },
  ) as fc.Arbitrary<Citation>;

const without =
  (...names: string[]) =>
  (source: CitedSource): CitedSource =>
    Object.fromEntries(Object.entries(source).filter(([name]) => !names.includes(name))) as CitedSource;

describe('what a wire can say, it says and reads the same', () => {
  test("Anthropic's", () =>
    fc.assert(
      fc.property(citing(url, document, result), citation =>
        assert.deepEqual(readAnthropicCitation({ ...anthropicCitation(citation) }), citation),
      ),
    ));

  test("Converse's", () =>
    fc.assert(
      fc.property(citing(url, document, result), ({ source, ...rest }) => {
        const citation = { ...rest, source: without('proof', 'fileId')(source) };
        assert.deepEqual(readConverseCitation(converseCitation(citation)), citation);
      }),
    ));

  test("Responses'", () =>
    fc.assert(
      fc.property(url, file, range, (page, kept, span) => {
        const source = without('proof')(page);
        assert.deepEqual(readAnnotation({ ...responsesAnnotation({ source }, span) }), { source, span });
        assert.deepEqual(readAnnotation({ ...chatAnnotation({ source }, span) }), { source, span });
        const at = kept.container === undefined ? { start: span.end, end: span.end } : span;
        assert.deepEqual(readAnnotation({ ...responsesAnnotation({ source: kept }, span) }), { source: kept, span: at });
      }),
    ));

  test("Google's", () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(citing(url, result), range), { maxLength: 4 }), cited => {
        const all = cited.map(([{ source, quote }, span]) => ({
          source: without('proof', 'found')(source),
          ...(source.kind === 'search-result' && quote !== undefined && { quote }),
          span,
        }));
        const written = groundingOf(
          all.map(({ span, ...citation }) => ({ ...citation, segment: { startIndex: span.start, endIndex: span.end } })),
        );
        assert.deepEqual(
          readGrounding({ groundingMetadata: written }),
          all.map(citation => ({ ...citation, part: 0 })),
        );
      }),
    ));
});

test('what is no citation that is known is none', () => {
  for (const wire of [{}, { type: 'char_location' }, { type: 'web_search_result_location' }, { type: 'constructor' }]) {
    assert.equal(readAnthropicCitation(wire), undefined);
    assert.equal(readAnnotation(wire), undefined);
  }
  assert.equal(readConverseCitation({ location: { web: {} } }), undefined);
  assert.deepEqual(
    readGrounding({
      groundingMetadata: { groundingChunks: [null, {}], groundingSupports: [{ groundingChunkIndices: [7, 'length', -1] }] },
    }),
    [],
  );
  assert.equal(readSources({ citations: [1, ''], search_results: 'x' }), undefined);
});

test('an address that Anthropic did not find has a mark for its proof, and a file no place there', () => {
  const source = { kind: 'url', url: 'https://a.test/' } as const;
  assert.equal(anthropicCitation({ source })?.encrypted_index, UNSIGNED);
  assert.deepEqual(readAnthropicCitation({ ...anthropicCitation({ source }) }), { source });
  assert.equal(anthropicCitation({ source: { kind: 'file', id: 'f' } }), undefined);
  assert.equal(responsesAnnotation({ source: { kind: 'document', index: 0 } }, { start: 0, end: 1 }), undefined);
});

test('in a history for Anthropic stands what is in the request, and nothing else', () => {
  const place = { unit: 'pages', start: 1, end: 2 } as const;
  const cites = (index: number) => anthropicCitationParam({ source: { kind: 'document', index, place }, quote: 'q' }, 1);
  assert.deepEqual(cites(0), {
    type: 'page_location',
    document_index: 0,
    document_title: null,
    start_page_number: 1,
    end_page_number: 2,
    cited_text: 'q',
  });
  assert.equal(cites(1), undefined);
  assert.equal(anthropicCitationParam({ source: { kind: 'url', url: 'https://a.test/', proof: 'p' } }, 9), undefined);
});

test('a text that is cited very often is not said as often', () => {
  const citation = { source: { kind: 'url', url: 'https://a.test/' } } as const;
  const segment = { endIndex: 1_000_000, text: 'a'.repeat(1_000_000) };
  const { groundingSupports } = groundingOf([citation, citation, citation].map(one => ({ ...one, segment })))!;
  const place = { endIndex: 1_000_000 };
  assert.deepEqual(
    (groundingSupports as { segment: object }[]).map(support => support.segment),
    [segment, place, place],
  );
});

test('lists beside an answer: results with their words, else addresses', () => {
  const found = { title: 'T', url: 'https://a.test/', snippet: 'S', date: '2026-01-01' };
  assert.deepEqual(readSources({ search_results: [found], citations: ['https://b.test/'] }), [
    { source: { kind: 'url', url: 'https://a.test/', title: 'T' }, quote: 'S' },
  ]);
  assert.deepEqual(readSources({ citations: ['https://b.test/'] }), [{ source: { kind: 'url', url: 'https://b.test/' } }]);
  const read = (urlRetrievalStatus?: string) =>
    readFetched({ urlContextMetadata: { urlMetadata: [{ retrievedUrl: 'https://a.test/', urlRetrievalStatus }] } });
  assert.deepEqual(
    [read(), read('URL_RETRIEVAL_STATUS_SUCCESS'), read('URL_RETRIEVAL_STATUS_ERROR')],
    [['https://a.test/'], ['https://a.test/'], []],
  );
});

describe('a measured text', () => {
  const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '漢', '😀'), maxLength: 6 }), { maxLength: 6 });
  const lengths = {
    'code-points': (text: string) => [...text].length,
    bytes: (text: string) => Buffer.byteLength(text),
  } as const;

  for (const unit of ['code-points', 'bytes'] as const)
    test(`has its characters where they are in ${unit}, however it was cut`, () =>
      fc.assert(
        fc.property(pieces, fc.boolean(), (all, byUnit) => {
          const text = all.join('');
          const measure = new Measure(unit);
          for (const piece of byUnit ? text.split('') : all) measure.add(piece);
          assert.equal(measure.length, text.length);
          let at = 0;
          for (const character of [...text, '']) {
            const total = lengths[unit](text.slice(0, at));
            assert.equal(measure.before(at), total);
            assert.equal(measure.placeOf(total), at);
            at += character.length;
          }
          assert.equal(measure.before(text.length + 1), undefined);
          assert.equal(measure.placeOf(lengths[unit](text) + 1), undefined);
        }),
      ));

  test('that changes its width all the time takes bounded memory, and tells no places then', () => {
    const measure = new Measure('bytes');
    measure.add('aé'.repeat(40_000));
    assert.equal(measure.before(10), undefined);
    assert.equal(measure.placeOf(10), undefined);
    assert.equal(measure.length, 80_000);
  });
});

test('a span that is not within its text is the whole text, and one that cannot be told is none', () => {
  const source = { kind: 'file', id: 'f' } as const;
  assert.deepEqual(spanIn({ source, span: { start: 1, end: 9 } }, 5), { start: 0, end: 5 });
  assert.deepEqual(spanIn({ source, span: { start: 1, end: 5 } }, 5), { start: 1, end: 5 });
  assert.deepEqual(
    converted({ source, span: { start: 1, end: 5 } }, () => undefined),
    { source },
  );
});

test('pieces are the whole text, have all citations once, and none is blank', () => {
  const cited = fc.array(fc.option(range, { nil: undefined }), { maxLength: 5 });
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', ' '), minLength: 1, maxLength: 12 }), cited, (text, spans) => {
      const citations = spans.map((span, i) => ({ source: { kind: 'file', id: `${i}` } as const, ...(span && { span }) }));
      const segments = segmentsOf(text, citations);
      assert.equal(segments.map(segment => segment.text).join(''), text);
      assert.deepEqual(new Set(segments.flatMap(segment => segment.citations)), new Set(citations));
      assert.equal(segments.flatMap(segment => segment.citations).length, citations.length);
      if (segments.length > 1) assert.ok(segments.every(segment => segment.text.trim() !== ''));
    }),
  );
  const one = { source: { kind: 'file', id: 'f' }, span: { start: 2, end: 4 } } as const;
  assert.deepEqual(segmentsOf('aabbcc', [one]), [
    { text: 'aa', citations: [] },
    { text: 'bb', citations: [one] },
    { text: 'cc', citations: [] },
  ]);
});
