// Secrets and personal data in the words of a request, and placeholders in their place: all other bytes stay.
import { type TextAt, textsOfRequest } from '#core/chat/texts.ts';
import { splicedText, textOfString } from '#core/json/strings.ts';
import { Finder, type Found, replaced, type Wanted } from '#core/sensitive/finder.ts';
import type { SensitiveKind } from '#core/sensitive/kinds.ts';
import type { Masks } from '#core/sensitive/masks.ts';

/** Characters, after which others have their turn: a prompt of some megabytes takes a second. */
const TURN = 128 * 1024;

/** The words of a request in which something was found. */
export type FoundAt = { readonly at: TextAt; readonly text: string; readonly here: readonly Found<SensitiveKind>[] };

/** @param json of the body */
export async function findInRequest(json: string, wanted: readonly Wanted<SensitiveKind>[]): Promise<readonly FoundAt[]> {
  const found: FoundAt[] = [];
  let left = TURN;
  for (const at of textsOfRequest(json)) {
    const text = textOfString(json, at.start, at.end);
    const finder = new Finder(wanted);
    const here: Found<SensitiveKind>[] = [];
    for (let from = 0; from < text.length; from += TURN) {
      const piece = text.slice(from, from + TURN);
      here.push(...finder.push(piece));
      left -= piece.length;
      if (left > 0) continue;
      await new Promise(setImmediate);
      left = TURN;
    }
    here.push(...finder.end());
    if (here.length > 0) found.push({ at, text, here });
  }
  return found;
}

export function maskedRequest(json: string, found: readonly FoundAt[], masks: Masks): string {
  const splices = found.map(({ at, text, here }) => {
    const masked = replaced(text, here, one => masks.placeholderOf(one.kind, one.text));
    return { start: at.start, end: at.end, text: JSON.stringify(masked) };
  });
  return splicedText(json, splices);
}
