// How many tokens a text has, near enough for estimates of any model. The vocabulary (some megabytes) is loaded at first use.

/** Encoding is linear but slow (about 1 MB/s at worst): above this the length alone must do, so that no request blocks the rest. */
const ENCODED_MAX_CHARS = 256 * 1024;
/** English text and JSON have 3 to 4 characters a token. */
const CHARS_PER_TOKEN = 3.5;

export async function estimateTokens(text: string): Promise<number> {
  if (text.length > ENCODED_MAX_CHARS) return Math.ceil(text.length / CHARS_PER_TOKEN);
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  // A user may write the names of control tokens: they are text here.
  return countTokens(text, { disallowedSpecial: new Set() });
}
