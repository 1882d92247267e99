// What all detectors of sensitive data have in common: one looks at a place in a text and says where what begins there ends. It looks no
// further than a bound, and never back, so any text takes linear time; where the text it has does not decide, it says so, and a text in
// pieces is read as the whole one is.

/** What begins at the place is not what the detector looks for. */
export const NO = -1;
/** The text so far does not decide it. Never said of a text that is whole. */
export const MORE = -2;

/**
 * @param at where it begins: see `mayBegin`; what stands before it in `text` may be looked at, as far as LOOK_BEHIND
 * @param isWhole nothing comes after `text`
 * @returns where it ends, NO or MORE
 */
export type Match = (text: string, at: number, isWhole: boolean) => number;

export type Detector = { /** With what it begins. */ readonly begins: CharSet; readonly match: Match };

/** By code unit: which characters a run is made of. */
export type CharSet = Uint8Array;

/** Latin letters, and accents by themselves, are below. */
const CODES = 0x370;

/** @param classes as in a regular expression, such as `A-Za-z0-9_` */
export function charSet(classes: string): CharSet {
  const set = new Uint8Array(CODES);
  const inClass = new RegExp(`^[${classes}]$`);
  for (let code = 0; code < CODES; code++) set[code] = Number(inClass.test(String.fromCharCode(code)));
  return set;
}

export const WORD = charSet('A-Za-z0-9');
export const DIGIT = charSet('0-9');

/** Beyond the end of a text: in no set. */
export const isIn = (set: CharSet, text: string, at: number): boolean => set[text.charCodeAt(at)] === 1;

/** Where a run of such characters ends that begins at `at`; at most `max` characters on. */
export function endOfRun(set: CharSet, text: string, at: number, max: number): number {
  const limit = Math.min(text.length, at + max);
  let end = at;
  while (end < limit && isIn(set, text, end)) end++;
  return end;
}

/** In a text in JSON, what follows `\n` or `\u003c` begins a word, although a letter or a digit stands before it. */
const ESCAPES = charSet('nrtbf');
const BACKSLASH = 0x5c;
const U = 0x75;
const HEX = charSet('0-9A-Fa-f');
const HEX_DIGITS = 4;

const isEscaped = (text: string, at: number): boolean => text.charCodeAt(at - 1) === BACKSLASH;

function beginsEscape(text: string, at: number): boolean {
  if (!isEscaped(text, at)) return false;
  return (
    isIn(ESCAPES, text, at) || (text.charCodeAt(at) === U && endOfRun(HEX, text, at + 1, HEX_DIGITS) === at + 1 + HEX_DIGITS)
  );
}

const endsEscape = (text: string, at: number): boolean =>
  (isEscaped(text, at) && isIn(ESCAPES, text, at)) ||
  (isEscaped(text, at - HEX_DIGITS) && text.charCodeAt(at - HEX_DIGITS) === U && beginsEscape(text, at - HEX_DIGITS));

/** It may be an escape; what comes after the text so far tells. */
export const mayBeEscape = (text: string, at: number): boolean =>
  text.charCodeAt(at) === U &&
  isEscaped(text, at) &&
  text.length <= at + HEX_DIGITS &&
  endOfRun(HEX, text, at + 1, HEX_DIGITS) === text.length;

/** What `mayBegin` and detectors may look at before a place: an escape. */
export const LOOK_BEHIND = HEX_DIGITS + 2;

const SIGNS = charSet('+\\[\\-');

/** Whether detectors are asked about a place: a word begins there (what stands before is no letter and no digit), or it is one of their signs. */
export function mayBegin(text: string, at: number): boolean {
  if (!isIn(WORD, text, at)) return isIn(SIGNS, text, at);
  return (!isIn(WORD, text, at - 1) || endsEscape(text, at - 1)) && !beginsEscape(text, at);
}

/** Of a sign: it stands at the end of no word. */
export const isApart = (text: string, at: number): boolean => !isIn(WORD, text, at - 1) || endsEscape(text, at - 1);
