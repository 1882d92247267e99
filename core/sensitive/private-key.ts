// Private keys in PEM (RFC 7468) and PGP's armour (RFC 9580): from the line that begins one to the line that ends it.
import { charSet, type Detector, endOfRun, type Match, MORE, NO } from './matcher.ts';

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';
const LABEL = charSet('A-Z0-9 ');
const MAX_LABEL = 48;
/** A key that does not end within this is cut off here. One of RSA with 16384 bits has some 13,000 characters. */
const MAX_KEY = 16_384;

const match: Match = (text, at, isWhole) => {
  if (!beginsWith(text, at, BEGIN)) return isWhole || !mayBegin(text, at, BEGIN) ? NO : MORE;
  const label = at + BEGIN.length;
  const labelEnd = endOfRun(LABEL, text, label, MAX_LABEL);
  if (labelEnd + DASHES.length > text.length && !isWhole) return MORE;
  if (!beginsWith(text, labelEnd, DASHES) || !text.slice(label, labelEnd).includes('PRIVATE KEY')) return NO;
  return endOfKey(text, at, labelEnd + DASHES.length, isWhole);
};

export const privateKey: Detector = { begins: charSet('\\-'), match };

function endOfKey(text: string, at: number, from: number, isWhole: boolean): number {
  const limit = at + MAX_KEY;
  const last = text.indexOf(END, from);
  const isFound = last >= 0 && last + END.length <= limit;
  if (!isFound) return text.length >= limit ? limit : isWhole ? text.length : MORE;
  const labelEnd = endOfRun(LABEL, text, last + END.length, MAX_LABEL);
  if (labelEnd + DASHES.length > text.length && !isWhole) return MORE;
  return beginsWith(text, labelEnd, DASHES) ? labelEnd + DASHES.length : labelEnd;
}

const beginsWith = (text: string, at: number, word: string): boolean => text.startsWith(word, at);

/** What there is of it is its beginning. */
const mayBegin = (text: string, at: number, word: string): boolean =>
  text.length - at < word.length && word.startsWith(text.slice(at));
