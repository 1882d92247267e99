// Changes top-level fields of a request body as bytes: what is not edited stays byte for byte, white space included.
import type { Field, JsonView } from './view.ts';

/** `text` stands in place of the bytes `[start, end)`. */
type Splice = { readonly start: number; readonly end: number; readonly text: string };

/** Values are JSON texts; null removes the field. A field that is not there yet is appended. */
export function editObject(view: JsonView, edits: ReadonlyMap<string, string | null>): Buffer {
  const splices = splicesOf(view, edits);
  return splices.length === 0 ? view.bytes : spliced(view.bytes, splices);
}

/** In the order of the document. */
function splicesOf(view: JsonView, edits: ReadonlyMap<string, string | null>): Splice[] {
  const splices: Splice[] = [];
  const fields = [...view.fields];
  let anyKept = false;
  fields.forEach(([name, field], i) => {
    const text = edits.get(name);
    if (text === null) {
      splices.push(removal(field, anyKept ? fields[i - 1]?.[1] : undefined, fields[i + 1]?.[1]));
      return;
    }
    if (text !== undefined) splices.push({ start: field.start, end: field.end, text });
    anyKept = true;
  });
  const added = additions(view, edits);
  if (added.length > 0) {
    const at = fields.at(-1)?.[1].end ?? view.bytes.indexOf('{') + 1;
    splices.push({ start: at, end: at, text: (anyKept ? ',' : '') + added.join(',') });
  }
  return splices;
}

/** A removed field takes the comma before it along; where nothing before it is kept, the comma behind it. */
function removal(field: Field, previous: Field | undefined, next: Field | undefined): Splice {
  if (previous) return { start: previous.end, end: field.end, text: '' };
  return { start: field.keyStart, end: next ? next.keyStart : field.end, text: '' };
}

function additions(view: JsonView, edits: ReadonlyMap<string, string | null>): string[] {
  return [...edits]
    .filter(([name, text]) => text !== null && !view.has(name))
    .map(([name, text]) => `${JSON.stringify(name)}:${text}`);
}

function spliced(bytes: Buffer, splices: readonly Splice[]): Buffer {
  const grown = splices.reduce((sum, { start, end, text }) => sum + Buffer.byteLength(text) - (end - start), bytes.length);
  const out = Buffer.allocUnsafe(grown);
  let [from, to] = [0, 0];
  for (const { start, end, text } of splices) {
    to += bytes.copy(out, to, from, start);
    to += out.write(text, to);
    from = end;
  }
  bytes.copy(out, to, from);
  return out;
}
