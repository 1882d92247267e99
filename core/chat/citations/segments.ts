// A text in pieces, each with what it rests on: for wires that cite whole blocks and no words within them.
import type { Citation } from './citation.ts';

export type Segment = { readonly text: string; readonly citations: readonly Citation[] };

/**
 * Cut where spans begin and end. A citation is with the piece at whose end its span ends, one without a span with the last. No piece is
 * white space alone: providers refuse such blocks when they come back.
 */
export function segmentsOf(text: string, citations: readonly Citation[]): readonly Segment[] {
  const ends = citations.map(({ span }) => (span && span.end > 0 && span.end < text.length ? span.end : text.length));
  const starts = citations.flatMap(({ span }) => (span && span.start > 0 && span.start < text.length ? [span.start] : []));
  const bounds = [...new Set([...starts, ...ends, text.length])].sort((a, b) => a - b);
  const byEnd = Map.groupBy(citations.keys(), index => ends[index]!);
  const segments: { text: string; citations: Citation[] }[] = [];
  let start = 0;
  for (const end of bounds) {
    const piece = text.slice(start, end);
    start = end;
    const last = segments.at(-1);
    const goesOn = last !== undefined && (isBlank(piece) || isBlank(last.text));
    const segment = goesOn ? last : { text: '', citations: [] };
    if (!goesOn) segments.push(segment);
    segment.text += piece;
    for (const index of byEnd.get(end) ?? []) segment.citations.push(citations[index]!);
  }
  return segments;
}

const isBlank = (text: string): boolean => !/\S/.test(text);
