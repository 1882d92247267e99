// Secrets and personal data in the words of a request, and placeholders in their place: all other bytes stay.
import { type TextAsked, textsOfRequest } from '#core/chat/texts.ts';
import { splicedText, textOfString } from '#core/json/strings.ts';
import { Finder, type Found, findAll, replaced, type Wanted } from '#core/sensitive/finder.ts';
import type { SensitiveKind } from '#core/sensitive/kinds.ts';
import { replacedWords } from './replaced-words.ts';

/** Characters, after which others have their turn: a prompt of some megabytes takes a second. */
const TURN = 32 * 1024;
/** A string takes as long as so many characters, besides its own. */
const STRING = 16;

/** The words of a request in which something was found. */
export type FoundAt = { readonly at: TextAsked; readonly text: string; readonly found: readonly Found<SensitiveKind>[] };

/** @param json of the body */
export async function findInRequest(json: string, wanted: readonly Wanted<SensitiveKind>[]): Promise<readonly FoundAt[]> {
  const words: FoundAt[] = [];
  let left = TURN;
  for (const at of textsOfRequest(json)) {
    const text = textOfString(json, at.start, at.end);
    const finder = new Finder(wanted);
    const found: Found<SensitiveKind>[] = [];
    for (let from = 0; from < text.length; from += TURN) {
      if (left <= 0) {
        await new Promise(setImmediate);
        left = TURN;
      }
      const piece = text.slice(from, from + TURN);
      for (const one of finder.push(piece)) found.push(one);
      left -= piece.length;
    }
    left -= STRING;
    for (const one of finder.end()) found.push(one);
    if (found.length > 0) words.push({ at, text, found });
  }
  return words.sort((a, b) => a.at.start - b.at.start);
}

/** What stands in the place of something. */
export type Mask = (found: Found<SensitiveKind>) => string;

export function maskedRequest(json: string, words: readonly FoundAt[], mask: Mask): string {
  const splices = words.map(({ at, text, found }) => {
    const { start, end } = at;
    return { start, end, text: JSON.stringify(replacedWords(text, found, at.isJson, mask)) };
  });
  return splicedText(json, splices);
}

export const maskedTags = (
  tags: Readonly<Record<string, string>>,
  wanted: readonly Wanted<SensitiveKind>[],
  mask: Mask,
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(tags).map(([name, text]) => [name, replaced(text, findAll(text, wanted), mask)]));
