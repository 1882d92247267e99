// What a text rests on, in neutral form: what is cited, in whose words, and for which words of the text. The files beside this one read and
// write it as the wires have it.
import { textOf } from '../../json/lenient.ts';

export type Citation = {
  readonly source: CitedSource;
  /** The words of the source. */
  readonly quote?: string;
  /** The words of the text that rest on it, or that stand for it in the text (a link). Absent: all of them, or nobody says which. */
  readonly span?: Span;
};

/** `end` is the first place after it. Without another unit being told: UTF-16 units of the text part that has the citation. */
export type Span = { readonly start: number; readonly end: number };

export type CitedSource =
  /** `proof`: what the provider wants to see again with it (Anthropic's `encrypted_index`). */
  | { readonly kind: 'url'; readonly url: string; readonly title?: string; readonly proof?: string }
  /** A document of the request, by its place among all of them from 0. `place`: which piece of it. */
  | {
      readonly kind: 'document';
      readonly index: number;
      readonly title?: string;
      readonly fileId?: string;
      readonly place?: Place;
    }
  /** What a search gave: one among the search results of the request from 0, or what the provider found where it keeps things. */
  | {
      readonly kind: 'search-result';
      /** Its name or address. */
      readonly source: string;
      readonly title?: string;
      readonly found?: { readonly index: number; readonly blocks: Span };
    }
  /** A file that a provider keeps; `container`: of the machine where it was made. */
  | { readonly kind: 'file'; readonly id: string; readonly name?: string; readonly container?: string };

/** Characters from 0, pages from 1, blocks from 0, as providers count them in what they were sent: it means the same on every wire. */
export type Place = Span & { readonly unit: 'characters' | 'pages' | 'blocks' };

/** The field of a source for a title as a wire has it: an empty one is none. */
export const titled = (title: unknown): { readonly title?: string } => (textOf(title) === '' ? {} : { title: textOf(title) });

/** For wires that know addresses alone. */
export function addressOf(source: CitedSource): { readonly url: string; readonly title: string } | undefined {
  if (source.kind === 'url') return { url: source.url, title: source.title ?? '' };
  const isAddress = source.kind === 'search-result' && /^https?:\/\//i.test(source.source);
  return isAddress ? { url: source.source, title: source.title ?? '' } : undefined;
}

/** With its span in other units; without one where that cannot be told. */
export function converted({ span, ...citation }: Citation, convert: (place: number) => number | undefined): Citation {
  const [start, end] = span ? [convert(span.start), convert(span.end)] : [];
  return start === undefined || end === undefined || end < start ? citation : { ...citation, span: { start, end } };
}

/** That which the text has in it. A span that is not within the text tells nothing. */
export const spanIn = ({ span }: Citation, length: number): Span =>
  span && span.start <= span.end && span.end <= length ? span : { start: 0, end: length };
