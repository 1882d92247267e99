// Globs of TenantKey model lists: `*` stands for any run of characters, everything else for itself. Linear: no regular expression.

export type Glob = (text: string) => boolean;

export function glob(pattern: string): Glob {
  const parts = pattern.split('*');
  if (parts.length === 1) return text => text === pattern;
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  const middle = parts.slice(1, -1);
  return text => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - last.length;
  };
}
