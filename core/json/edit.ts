// Changes top-level fields of a request body as bytes: what is not edited stays byte for byte, white space included.
import type { Field, JsonView } from './view.ts';

/** `text` stands in place of the bytes `[start, end)`. */
type Splice = { readonly start: number; readonly end: number; readonly text: string };

/** Values are JSON texts; null removes the field. A field that is not there yet is appended. */
export function editObject(view: JsonView, edits: ReadonlyMap<string, string | null>): Buffer {
  const splices = splicesOf(view, edits);
  return splices.length === 0 ? view.bytes : spliced(view.bytes, splices);
}

/** In the order of the document. Most edits replace values only, and look at no other field. */
function splicesOf(view: JsonView, edits: ReadonlyMap<string, string | null>): Splice[] {
  const splices: Splice[] = [];
  const added: string[] = [];
  let removes = false;
  for (const [name, text] of edits) {
    const field = view.fields.get(name);
    if (text === null) removes ||= field !== undefined;
    else if (field) splices.push({ start: field.start, end: field.end, text });
    else added.push(`${JSON.stringify(name)}:${text}`);
  }
  if (removes) splices.push(...removals(view, edits));
  splices.sort((a, b) => a.start - b.start);
  if (added.length > 0) splices.push(addition(view, edits, added));
  return splices;
}

function removals({ fields }: JsonView, edits: ReadonlyMap<string, string | null>): Splice[] {
  const splices: Splice[] = [];
  const all = [...fields.values()];
  let anyKept = false;
  [...fields.keys()].forEach((name, i) => {
    if (edits.get(name) !== null) anyKept = true;
    else splices.push(removal(all[i]!, anyKept ? all[i - 1] : undefined, all[i + 1]));
  });
  return splices;
}

/** Behind the last field, kept or not. */
function addition({ bytes, fields }: JsonView, edits: ReadonlyMap<string, string | null>, added: readonly string[]): Splice {
  const at = [...fields.values()].at(-1)?.end ?? bytes.indexOf('{') + 1;
  const anyKept = [...fields.keys()].some(name => edits.get(name) !== null);
  return { start: at, end: at, text: (anyKept ? ',' : '') + added.join(',') };
}

/** A removed field takes the comma before it along; where nothing before it is kept, the comma behind it. */
function removal(field: Field, previous: Field | undefined, next: Field | undefined): Splice {
  if (previous) return { start: previous.end, end: field.end, text: '' };
  return { start: field.keyStart, end: next ? next.keyStart : field.end, text: '' };
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
