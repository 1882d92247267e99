// Thinking that its maker sealed. Anthropic gives it as a text; Converse wraps that text, as it wraps all bytes, in base64.

/** As the model's own dialect has it. Bytes that are no text stay what they are: each is a character. */
export const unwrapped = (blob: string): string => Buffer.from(blob, 'base64').toString('latin1');

export const wrapped = (data: string): string => Buffer.from(data, 'latin1').toString('base64');
