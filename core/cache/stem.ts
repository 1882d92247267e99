// The stem of an English word: inflection removed (plural, tense, -ing), derivation kept, so that `install` and `installed` meet but
// `general` and `generate` do not. Only equality of two stems means anything; a stem need not be a word. Linear.
import { irregularForms } from './english/irregular.ts';

const MAX_LENGTH = 40;

/** Of a word in lower case without an apostrophe. */
export function stemOf(word: string): string {
  if (word.length < 3 || word.length > MAX_LENGTH) return irregularForms.get(word) ?? word;
  const irregular = irregularForms.get(word);
  if (irregular !== undefined) return irregular;
  return spelling(uninflected(word));
}

function uninflected(word: string): string {
  if (word.endsWith('ing')) return verb(word, word.slice(0, -3));
  if (word.endsWith('ied') || word.endsWith('ies')) return word.length > 4 ? `${word.slice(0, -3)}y` : word.slice(0, -1);
  if (word.endsWith('eed')) return word.length > 5 ? word.slice(0, -1) : word;
  if (word.endsWith('ed')) return verb(word, word.slice(0, -2));
  if (word.endsWith('s')) return singular(word);
  return word;
}

/** What is left of a verb once -ing or -ed is gone; `hoping` is of `hope`, `hopping` of `hop`. */
function verb(word: string, rest: string): string {
  if (rest.length < 2 || !hasVowel(rest) || rest.endsWith('e')) return rest.endsWith('e') && hasVowel(rest) ? rest : word;
  if (rest.length > 5 && /[yi]s$/.test(rest)) return `${rest.slice(0, -1)}z`;
  const last = rest.at(-1)!;
  if (last === rest.at(-2) && !'aeiouy'.includes(last))
    return rest.length <= 3 || ('lsfz'.includes(last) && rest.length <= 5) ? rest : rest.slice(0, -1);
  return isShort(rest) || 'vuz'.includes(last) || rest.endsWith('dg') || rest.endsWith('rc') || rest.endsWith('nc')
    ? `${rest}e`
    : rest;
}

function singular(word: string): string {
  if (word.length < 4 || /(?:ss|us|is|as|os)$/.test(word)) return word;
  if (/(?:sses|shes|ches|xes|zzes)$/.test(word)) return word.slice(0, -2);
  return word.slice(0, -1);
}

const isVowel = (letter: string | undefined): boolean => letter !== undefined && 'aeiouy'.includes(letter);
const hasVowel = (word: string): boolean => /[aeiouy]/.test(word);

/** One syllable that ends in vowel and consonant: what loses an e before -ing. */
function isShort(rest: string): boolean {
  const [before, vowel, last] = [rest.at(-3), rest.at(-2), rest.at(-1)];
  if (isVowel(last) || !isVowel(vowel) || 'wx'.includes(last!)) return false;
  if (before !== undefined && isVowel(before) && before !== 'u' && !(before === 'y')) return false;
  return !hasVowel(rest.slice(0, -2).replace(/^[^aeiouy]*qu/, ''));
}

const isOur = /(?:[a-z]{2}l|[dmvbnip])our$/;

/** British forms become American ones, and long words lose a silent e, so that `deleting` and `delete` meet. */
function spelling(stem: string): string {
  let word = stem;
  if (word.length > 4 && isOur.test(word)) word = `${word.slice(0, -3)}or`;
  if (word.length > 6 && /[yi]se$/.test(word)) word = `${word.slice(0, -2)}ze`;
  if (word.length > 4 && /[bt]re$/.test(word)) word = `${word.slice(0, -2)}er`;
  if (word.length > 5 && word.endsWith('ll')) word = word.slice(0, -1);
  return word.length > 5 && word.endsWith('e') && !word.endsWith('ee') ? word.slice(0, -1) : word;
}
