// Other words in the place of those that were found: in a text in JSON, such as the arguments of a tool, it stays JSON.
import { Quotes } from '#core/json/quotes.ts';
import { type Found, replaced } from '#core/sensitive/finder.ts';

export function replacedWords<K>(
  text: string,
  found: readonly Found<K>[],
  isJson: boolean,
  by: (found: Found<K>) => string,
): string {
  if (!isJson) return replaced(text, found, by);
  const quotes = new Quotes();
  quotes.push(text);
  return replaced(text, found, one => quotes.writtenAt(one.start, by(one)));
}
