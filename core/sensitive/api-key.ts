// API keys and tokens, by the prefixes that their makers gave them so that they can be found, and by what follows looking like chance. The
// forms are those that the makers publish, and that scanners for secrets look for (github.com/gitleaks/gitleaks, config/gitleaks.toml).
import { type CharSet, charSet, type Detector, endOfRun, isIn, type Match, MORE, NO, WORD } from './matcher.ts';

type Form = {
  readonly prefix: string;
  readonly set: CharSet;
  /** Characters after the prefix. */
  readonly min: number;
  readonly max: number;
};

const URL_SAFE = charSet('A-Za-z0-9_\\-');
const DOTTED = charSet('A-Za-z0-9_.\\-');
const BASE32 = charSet('A-Z2-7');
const HEX = charSet('a-f0-9');
/** Nothing of its maker's is longer. */
const MAX = 1024;

const form = (prefix: string, set: CharSet, min: number, max = MAX): Form => ({ prefix, set, min, max });

const forms: readonly Form[] = [
  // OpenAI and those who name keys as it does; keys of this gateway.
  form('sk-', WORD, 20),
  form('sk-proj-', URL_SAFE, 20),
  form('sk-svcacct-', URL_SAFE, 20),
  form('sk-admin-', URL_SAFE, 20),
  form('sk-ant-', URL_SAFE, 20),
  form('sk-or-v1-', URL_SAFE, 20),
  form('gsk_', WORD, 20),
  form('xai-', WORD, 20),
  form('pplx-', WORD, 20),
  form('nvapi-', URL_SAFE, 20),
  form('r8_', WORD, 20),
  form('hf_', WORD, 20),
  ...['AKIA', 'ASIA', 'ABIA', 'ACCA'].map(prefix => form(prefix, BASE32, 16, 16)),
  form('AIza', URL_SAFE, 35, 35),
  form('ya29.', URL_SAFE, 20),
  form('GOCSPX-', URL_SAFE, 20),
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'].map(prefix => form(prefix, WORD, 30)),
  form('github_pat_', URL_SAFE, 30),
  ...['glpat-', 'gldt-', 'glrt-'].map(prefix => form(prefix, DOTTED, 20)),
  ...['xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-', 'xapp-'].map(prefix => form(prefix, URL_SAFE, 10)),
  ...['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'].map(prefix => form(prefix, WORD, 16)),
  form('SG.', DOTTED, 40),
  form('npm_', WORD, 30),
  form('pypi-', URL_SAFE, 50),
  form('dckr_pat_', URL_SAFE, 20),
  form('dop_v1_', HEX, 64, 64),
  ...['shpat_', 'shpca_', 'shpss_'].map(prefix => form(prefix, charSet('a-fA-F0-9'), 32, 32)),
  form('glsa_', URL_SAFE, 30),
  form('hvs.', URL_SAFE, 20),
  form('tskey-', URL_SAFE, 20),
  form('lin_api_', WORD, 30),
];

/** By their first character; of those with one beginning, the longer prefix first. */
const byFirst = Map.groupBy(
  forms.toSorted((a, b) => b.prefix.length - a.prefix.length),
  ({ prefix }) => prefix.charCodeAt(0),
);

const matchKey: Match = (text, at, isWhole) => {
  for (const one of byFirst.get(text.charCodeAt(at)) ?? []) {
    const end = endOf(one, text, at, isWhole);
    if (end !== NO) return end;
  }
  return NO;
};

export const apiKey: Detector = { begins: charSet([...new Set(forms.map(({ prefix }) => prefix[0]))].join('')), match: matchKey };

function endOf({ prefix, set, min, max }: Form, text: string, at: number, isWhole: boolean): number {
  const rest = at + prefix.length;
  if (!text.startsWith(prefix, at)) return !isWhole && isBeginning(text, at, prefix) ? MORE : NO;
  const end = endOfRun(set, text, rest, max);
  if (end === text.length && !isWhole) return MORE;
  const isLonger = max < MAX && isIn(WORD, text, end);
  return !isLonger && end - rest >= min && isRandom(text.slice(rest, end)) ? end : NO;
}

const isBeginning = (text: string, at: number, word: string): boolean =>
  text.length - at < word.length && word.startsWith(text.slice(at));

/** Below this, repetition; words of a language have no digits among them. Chance of 20 letters and digits has about 4. */
const MIN_BITS = 2.8;

/** As much of a key as tells. */
const MAX_LOOKED_AT = 128;

/** Looks made by chance: many different characters, letters and digits. */
export function isRandom(text: string): boolean {
  const looked = text.slice(0, MAX_LOOKED_AT);
  if (!/[0-9]/.test(looked) || !/[A-Za-z]/.test(looked)) return false;
  const counts = new Uint8Array(128);
  for (let at = 0; at < looked.length; at++) counts[looked.charCodeAt(at)]!++;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / looked.length) * Math.log2(count / looked.length);
  return bits >= MIN_BITS;
}

const JWT_BEGIN = 'eyJ';
const MIN_JWT_PART = 8;
/** Of the header and the others: a token that names all groups of its person has some kilobytes. */
const MAX_JWT_PARTS = [4096, 16_384, 4096] as const;
/** Where it is not the beginning of a run of its characters; else each place in a long one would be looked at as far again. */
const MAX_JWT_HEADER_WITHIN = 256;

const matchToken: Match = (text, at, isWhole) => {
  const isWithin = isIn(URL_SAFE, text, at - 1);
  let end = at;
  for (const [part, max] of MAX_JWT_PARTS.entries()) {
    const begin = part < 2 ? JWT_BEGIN : '';
    if (!text.startsWith(begin, end)) return !isWhole && isBeginning(text, end, begin) ? MORE : NO;
    const from = end;
    end = endOfRun(URL_SAFE, text, from, part === 0 && isWithin ? MAX_JWT_HEADER_WITHIN : max);
    if (end === text.length && !isWhole) return MORE;
    if (end - from < MIN_JWT_PART) return NO;
    if (begin !== '' && text[end++] !== '.') return NO;
  }
  return end;
};

/** A JSON Web Token (RFC 7519): header and payload are JSON objects in base64, so both begin with `eyJ`. */
export const webToken: Detector = { begins: charSet('e'), match: matchToken };
