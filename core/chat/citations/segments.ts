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
  const segments: Segment[] = [];
  let start = 0;
  for (const end of bounds) {
    const piece = text.slice(start, end);
    const its = (byEnd.get(end) ?? []).map(index => citations[index]!);
    start = end;
    const last = segments.at(-1);
    const isBlank = piece.trim() === '' || last?.text.trim() === '';
    if (last && isBlank) segments.splice(-1, 1, { text: last.text + piece, citations: [...last.citations, ...its] });
    else segments.push({ text: piece, citations: its });
  }
  return segments;
}
