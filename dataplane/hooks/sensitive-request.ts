// Secrets and personal data in the words of a request, and placeholders in their place: all other bytes stay.
import { type TextAt, textsOfRequest } from '#core/chat/texts.ts';
import { splicedText, textOfString } from '#core/json/strings.ts';
import { Finder, type Found, findAll, replaced, type Wanted } from '#core/sensitive/finder.ts';
import type { SensitiveKind } from '#core/sensitive/kinds.ts';

/** Characters, after which others have their turn: a prompt of some megabytes takes a second. */
const TURN = 128 * 1024;

/** The words of a request in which something was found. */
export type FoundAt = { readonly at: TextAt; readonly text: string; readonly found: readonly Found<SensitiveKind>[] };

/** @param json of the body */
export async function findInRequest(json: string, wanted: readonly Wanted<SensitiveKind>[]): Promise<readonly FoundAt[]> {
  const words: FoundAt[] = [];
  let left = TURN;
  for (const at of textsOfRequest(json)) {
    const text = textOfString(json, at.start, at.end);
    const finder = new Finder(wanted);
    const found: Found<SensitiveKind>[] = [];
    for (let from = 0; from < text.length; from += TURN) {
      const piece = text.slice(from, from + TURN);
      found.push(...finder.push(piece));
      left -= piece.length;
      if (left > 0) continue;
      await new Promise(setImmediate);
      left = TURN;
    }
    found.push(...finder.end());
    if (found.length > 0) words.push({ at, text, found });
  }
  return words;
}

/** What stands in the place of something. */
export type Mask = (found: Found<SensitiveKind>) => string;

export function maskedRequest(json: string, words: readonly FoundAt[], mask: Mask): string {
  const splices = words.map(({ at, text, found }) => {
    const { start, end } = at;
    return { start, end, text: JSON.stringify(replaced(text, found, mask)) };
  });
  return splicedText(json, splices);
}

export const maskedTags = (
  tags: Readonly<Record<string, string>>,
  wanted: readonly Wanted<SensitiveKind>[],
  mask: Mask,
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(tags).map(([name, text]) => [name, replaced(text, findAll(text, wanted), mask)]));
