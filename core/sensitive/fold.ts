// Signs that stand for others: spaces that do not break, dashes of all lengths, letters and digits in full width, digits of Arabic. Texts
// that are copied from a page or a document have them. Each is one code unit, as is what it stands for: places stay where they are.

const OTHERS = /[\u00a0\u2000-\u200a\u2010-\u2015\u202f\u205f\u2212\u3000\uff01-\uff5e\u0660-\u0669\u06f0-\u06f9]/;
const ALL_OTHERS = new RegExp(OTHERS, 'g');

const DASHES = /[\u2010-\u2015\u2212]/;
/** Each block, and the first character of what it stands for. */
const BLOCKS = [
  [0xff01, 0xff5e, 0x21],
  [0x0660, 0x0669, 0x30],
  [0x06f0, 0x06f9, 0x30],
] as const;

/** The text as detectors read it. */
export const folded = (text: string): string => (OTHERS.test(text) ? text.replaceAll(ALL_OTHERS, meant) : text);

function meant(sign: string): string {
  const code = sign.charCodeAt(0);
  const block = BLOCKS.find(([first, last]) => first <= code && code <= last);
  if (block) return String.fromCharCode(code - block[0] + block[2]);
  return DASHES.test(sign) ? '-' : ' ';
}
