// Takes out of a provider's error text what the client of a gateway must not see: keys, organization ids, hosts and URLs.
// Works word by word with anchored patterns, so its time is linear in the text.

const INPUT_MAX = 4096;
const OUTPUT_MAX = 1000;

/** Empty where nothing readable is left: the caller then says something of its own. */
export function scrub(text: string): string {
  const clean = whole(text)
    .replace(urls, '[url]')
    .replace(bearer, '$1 [redacted]')
    .replace(words, replacementOf)
    // Line ends and other control characters would forge log lines and headers.
    .replace(control, ' ')
    .trim();
  return clean.length > OUTPUT_MAX ? `${clean.slice(0, OUTPUT_MAX)}…` : clean;
}

/** At most INPUT_MAX characters, cut between words: half a key would not be recognised as one. */
function whole(text: string): string {
  if (text.length <= INPUT_MAX) return text;
  return text.slice(0, Math.max(0, text.lastIndexOf(' ', INPUT_MAX)));
}

const urls = /\b[a-z][a-z0-9+.-]{1,11}:\/\/[^\s"'<>`]+/gi;
const bearer = /\b(bearer|basic|api[ _-]key(?: provided)?:?)\s+[^\s"'`,;]{6,}/gi;
const words = /[^\s"'`<>(),;{}=|\\]+/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const control = /[\u0000-\u001f\u007f]+/g;

type Rule = { readonly pattern: RegExp; readonly instead: string };

const rules: readonly Rule[] = [
  // OpenAI, Anthropic, OpenRouter, DeepSeek (sk-), Groq (gsk_), xAI (xai-), Hugging Face (hf_), NVIDIA (nvapi-), Perplexity (pplx-), Cerebras (csk-)
  { pattern: /^(?:sk|pk|rk|csk|gsk|xai|hf|nvapi|pplx|r8|tgp)[-_][\w*.-]{6,}$/i, instead: '[key]' },
  // Google and AWS
  { pattern: /^(?:AIza[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{8,})$/, instead: '[key]' },
  { pattern: /^(?:org-|proj_)\w+$/i, instead: '[account]' },
  { pattern: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, instead: '[id]' },
  { pattern: /^[A-Za-z0-9+/_-]{40,}$/, instead: '[redacted]' },
  { pattern: /^[A-Za-z0-9]{32,}$/, instead: '[redacted]' },
  { pattern: /^\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?:\/.*)?$/, instead: '[host]' },
  { pattern: /^\[?(?:[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}|[0-9a-f]{0,4}::[0-9a-f]{0,4})(?:\]:\d{1,5}|\])?$/i, instead: '[host]' },
  {
    pattern:
      /^[\w@.-]+\.(?:com|net|org|io|ai|dev|cloud|app|svc|internal|local|localdomain|lan|corp|intranet|test)(?::\d{1,5})?(?:\/.*)?$/i,
    instead: '[host]',
  },
  { pattern: /^(?:localhost|[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*):\d{2,5}(?:\/.*)?$/i, instead: '[host]' },
];

function replacementOf(word: string): string {
  const core = word.replace(/[.:!?]{1,3}$/, '');
  const rule = rules.find(({ pattern }) => pattern.test(core));
  return rule ? rule.instead + word.slice(core.length) : word;
}
