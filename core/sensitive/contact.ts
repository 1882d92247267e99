// How people and machines are reached: e-mail addresses, telephone numbers, IP addresses.
import { type CharSet, charSet, type Detector, DIGIT, endOfRun, isApart, isIn, type Match, MORE, NO, WORD } from './matcher.ts';

// ---------------------------------------------------------------- e-mail

/** With accents, in one or as signs of their own (RFC 6531). */
const LETTERS = 'A-Za-zÀ-ÖØ-öø-ɏ\\u0300-\\u036f';
/** Those of RFC 5321's dot-string that people use. */
const LOCAL = charSet(`${LETTERS}0-9._%+'\\-`);
const HOST = charSet(`${LETTERS}0-9.\\-`);
const MAX_LOCAL = 64;
const MAX_HOST = 255;
const LABEL = new RegExp(`^[${LETTERS}0-9]([${LETTERS}0-9-]*[${LETTERS}0-9])?$`);
const MAX_LABEL = 63;
/** The last label of a name that people are reached at. */
const TOP = new RegExp(`^([${LETTERS}]{2,63}|xn--[A-Za-z0-9-]{1,59})$`);
/** A picture for fine screens, `logo@2x.png`, is nobody's address. */
const PICTURE = /^[1-4]x\.(png|jpe?g|gif|webp|avif|heic|svg|pdf)$/i;
/** As it is written in the query of a URL. */
const ENCODED_SIGN = '%40';

const matchEmail: Match = (text, at, isWhole) => {
  const localEnd = endOfRun(LOCAL, text, at, MAX_LOCAL);
  if (localEnd === text.length && !isWhole) return MORE;
  const host = hostAfter(text, at, localEnd);
  if (host === NO) return NO;
  const end = endOfRun(HOST, text, host, MAX_HOST);
  if (end === text.length && !isWhole) return MORE;
  const length = domainLength(text.slice(host, end));
  return length === 0 || PICTURE.test(text.slice(host, host + length)) ? NO : host + length;
};

export const email: Detector = { begins: WORD, match: matchEmail };

function hostAfter(text: string, at: number, localEnd: number): number {
  if (text[localEnd] === '@') return localEnd + 1;
  const sign = text.slice(at, localEnd).indexOf(ENCODED_SIGN);
  return sign > 0 ? at + sign + ENCODED_SIGN.length : NO;
}

/** Of the longest name that it begins with: a full stop after it belongs to the sentence. 0: there is none. */
function domainLength(host: string): number {
  let [length, at] = [0, 0];
  for (const [i, label] of host.split('.').entries()) {
    if (label.length > MAX_LABEL || !LABEL.test(label)) break;
    at += label.length;
    if (i > 0 && TOP.test(label)) length = at;
    at++;
  }
  return length;
}

// ---------------------------------------------------------------- telephone

const MIN_PHONE_DIGITS = 8;
/** E.164, 6.1. */
const MAX_PHONE_DIGITS = 15;
const SEPARATOR = charSet(' .()\\-');
const MAX_SEPARATORS = 3;

const matchPhone: Match = (text, at, isWhole) => {
  if (!isApart(text, at)) return NO;
  if (at + 1 === text.length) return isWhole ? NO : MORE;
  if (!isIn(DIGIT, text, at + 1) || text[at + 1] === '0') return NO;
  let best = NO;
  let digits = 0;
  for (let end = at + 1; ; ) {
    const groupEnd = endOfRun(DIGIT, text, end, MAX_PHONE_DIGITS + 1);
    digits += groupEnd - end;
    if (groupEnd === text.length && !isWhole && digits <= MAX_PHONE_DIGITS) return MORE;
    if (digits > MAX_PHONE_DIGITS || isIn(WORD, text, groupEnd)) return best;
    if (digits >= MIN_PHONE_DIGITS) best = groupEnd;
    const next = endOfRun(SEPARATOR, text, groupEnd, MAX_SEPARATORS);
    if (next === text.length && !isWhole) return MORE;
    if (next === groupEnd || !isIn(DIGIT, text, next)) return best;
    end = next;
  }
};

/** With its country: `+`, then digits, in groups if need be. */
export const phone: Detector = { begins: charSet('+'), match: matchPhone };

// ---------------------------------------------------------------- IP

const DOTTED = charSet('0-9.');
const HEX = charSet('0-9A-Fa-f');
const COLONS = charSet('0-9A-Fa-f:.');
/** `255.255.255.255` has 15; IPv6 with a dotted end 45. */
const MAX_V4 = 16;
const MAX_V6 = 46;

/** The machine itself, and none at all, tell nothing of anybody. */
const NOBODY = /^(127\.|0\.|255\.255\.255\.255$)/;

const matchAddress: Match = (text, at, isWhole) => {
  const v6 = isTail(text, at, ':', HEX) ? NO : addressIn(text, at, COLONS, MAX_V6, isV6, isWhole);
  if (v6 !== NO || !isIn(DIGIT, text, at) || isTail(text, at, '.', DIGIT)) return v6;
  return addressIn(text, at, DOTTED, MAX_V4, isV4, isWhole);
};

export const ipAddress: Detector = { begins: HEX, match: matchAddress };

/** What begins here goes on with something longer, which is no address. */
const isTail = (text: string, at: number, separator: string, set: CharSet): boolean =>
  text[at - 1] === separator && isIn(set, text, at - 2);

type Form = (text: string) => boolean;

function addressIn(text: string, at: number, set: CharSet, max: number, isForm: Form, isWhole: boolean): number {
  const runEnd = endOfRun(set, text, at, max);
  if (runEnd === text.length && !isWhole && runEnd - at < max) return MORE;
  if (runEnd - at === max || isIn(WORD, text, runEnd)) return NO;
  // A full stop, or a colon, after it belongs to the sentence.
  const end = text[runEnd - 1] === '.' || (text[runEnd - 1] === ':' && text[runEnd - 2] !== ':') ? runEnd - 1 : runEnd;
  const address = text.slice(at, end);
  return isForm(address) && !NOBODY.test(address) ? end : NO;
}

const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const V4 = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`);
const isV4 = (text: string): boolean => V4.test(text);

const GROUP = /^[0-9A-Fa-f]{1,4}$/;
/** `a::b` is a name in many languages: an address in short begins with a group that has a digit in it, as all that are given out do. */
const SHORT = /^[0-9A-Fa-f]*[0-9]/;

function isV6(text: string): boolean {
  const halves = text.split('::');
  if (!text.includes(':') || halves.length > 2) return false;
  const groups = halves.flatMap(half => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1);
  const dotted = last?.includes('.') === true;
  const isSound = groups.every((group, i) => GROUP.test(group) || (dotted && i === groups.length - 1 && isV4(group)));
  const size = groups.length + Number(dotted);
  if (!isSound) return false;
  return halves.length === 1 ? size === 8 : size >= 2 && size < 8 && SHORT.test(groups[0]!) && groups[0]!.length >= 2;
}
