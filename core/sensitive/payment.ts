// Numbers of credit cards and of bank accounts, by their forms and their check digits.
import { charSet, type Detector, DIGIT, isIn, type Match, MORE, NO, WORD } from './matcher.ts';

// ---------------------------------------------------------------- cards

const MAX_CARD_DIGITS = 19;
/** Digits, as they are printed on cards: together, in fours, or as American Express and Diners have them. */
const GROUPS = /^(4(,4)*(,[1-4])?|4,6,5|4,6,4|1[2-9])$/;
/** Prefixes and lengths of the networks (ISO/IEC 7812; the networks' own pages). */
const NETWORKS: readonly RegExp[] = [
  /^4(\d{12}|\d{15}|\d{18})$/, // Visa
  /^(5[1-5]\d{14}|2(22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12})$/, // Mastercard
  /^3[47]\d{13}$/, // American Express
  /^3(0[0-5]|[689]\d)\d{11,16}$/, // Diners Club
  /^(6011|64[4-9]\d|65\d\d)\d{12,15}$/, // Discover
  /^35(2[89]|[3-8]\d)\d{12,15}$/, // JCB
  /^62\d{14,17}$/, // UnionPay
  /^(5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}$/, // Maestro
];

const matchCard: Match = (text, at, isWhole) => {
  const isFraction = text[at - 1] === '.' && isIn(DIGIT, text, at - 2);
  let best = NO;
  let [digits, group, groups] = ['', 0, ''];
  let separator = '';
  for (let end = at; ; end++) {
    if (end === text.length && !isWhole) return MORE;
    if (isIn(DIGIT, text, end)) {
      digits += text[end];
      group++;
      if (digits.length > MAX_CARD_DIGITS) return best;
      continue;
    }
    groups += groups === '' ? group : `,${group}`;
    // One in fifty numbers with sixteen decimals would be a card.
    const mayBeCard = !isIn(WORD, text, end) && (!isFraction || separator !== '');
    if (mayBeCard && isCard(digits, groups)) best = end;
    const here = text[end];
    // One separator, the same all along, and a digit after it; the first group has four.
    if ((here !== ' ' && here !== '-') || (separator !== '' && here !== separator)) return best;
    if (groups !== '4' && separator === '') return best;
    if (end + 1 === text.length && !isWhole) return MORE;
    if (!isIn(DIGIT, text, end + 1)) return best;
    [separator, group] = [here, 0];
  }
};

export const creditCard: Detector = { begins: DIGIT, match: matchCard };

const isCard = (digits: string, groups: string): boolean =>
  GROUPS.test(groups) && NETWORKS.some(network => network.test(digits)) && luhn(digits);

/** ISO/IEC 7812-1, annex B. */
export function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = digit * 2;
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

// ---------------------------------------------------------------- bank accounts

/** Characters of an IBAN by country, from the registry that SWIFT keeps (ISO 13616). */
// biome-ignore format: one country a line would hide the table
const IBAN_LENGTHS: Readonly<Record<string, number>> = {
  AD: 24, AE: 23, AL: 28, AT: 20, AZ: 28, BA: 20, BE: 16, BG: 22, BH: 22, BI: 27, BR: 29, BY: 28, CH: 21, CR: 22, CY: 28, CZ: 24,
  DE: 22, DJ: 27, DK: 18, DO: 28, EE: 20, EG: 29, ES: 24, FI: 18, FK: 18, FO: 18, FR: 27, GB: 22, GE: 22, GI: 23, GL: 18, GR: 27,
  GT: 28, HN: 28, HR: 21, HU: 28, IE: 22, IL: 23, IQ: 23, IS: 26, IT: 27, JO: 30, KW: 30, KZ: 20, LB: 28, LC: 32, LI: 21, LT: 20,
  LU: 20, LV: 21, LY: 25, MC: 27, MD: 24, ME: 22, MK: 19, MN: 20, MR: 27, MT: 31, MU: 30, NI: 28, NL: 18, NO: 15, OM: 23, PK: 24,
  PL: 28, PS: 29, PT: 25, QA: 29, RO: 24, RS: 22, RU: 33, SA: 24, SC: 31, SD: 18, SE: 24, SI: 19, SK: 24, SM: 27, SO: 23, ST: 25,
  SV: 28, TL: 23, TN: 24, TR: 26, UA: 29, VA: 22, VG: 24, XK: 20, YE: 30,
};
const LETTER = charSet('A-Za-z');

const matchAccount: Match = (text, at, isWhole) => {
  if (at + 4 > text.length) return !isWhole && /^[A-Za-z]{1,2}\d?$/.test(text.slice(at)) ? MORE : NO;
  if (!isIn(LETTER, text, at + 1) || !isIn(DIGIT, text, at + 2) || !isIn(DIGIT, text, at + 3)) return NO;
  const length = IBAN_LENGTHS[text.slice(at, at + 2).toUpperCase()];
  return length === undefined ? NO : endOfAccount(text, at, length, isWhole);
};

/** Together, or in fours with a space or a dash between them. */
export const bankAccount: Detector = { begins: LETTER, match: matchAccount };

function endOfAccount(text: string, at: number, length: number, isWhole: boolean): number {
  const gap = text[at + 4];
  const isSpaced = gap === ' ' || gap === '-';
  let account = '';
  let end = at;
  for (; account.length < length; end++) {
    if (end >= text.length) return isWhole ? NO : MORE;
    const isGap = isSpaced && account.length % 4 === 0 && account !== '' && text[end - 1] !== gap;
    if (isGap ? text[end] !== gap : !isIn(WORD, text, end)) return NO;
    if (!isGap) account += text[end];
  }
  if (end === text.length && !isWhole) return MORE;
  return !isIn(WORD, text, end) && mod97(account) === 1 ? end : NO;
}

/** ISO 7064, MOD 97-10: 1 for a sound IBAN. */
export function mod97(account: string): number {
  let rest = 0;
  for (const character of account.slice(4) + account.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
}
