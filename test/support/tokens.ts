// The tokens of a TypeScript source, comments and white space left out: what the architecture checks look at, so that a word in
// a comment or a string is never taken for code.
import { SyntaxKind } from 'typescript/unstable/ast';
import { createScanner, type Scanner } from 'typescript/unstable/ast/scanner';

/** `text` is the source of the token; for a string literal, `value` is what it denotes. */
export type Token = {
  readonly kind: 'word' | 'string' | 'other';
  readonly text: string;
  readonly value: string;
  readonly line: number;
};

export function tokensOf(source: string): Token[] {
  const scanner = createScanner(true, undefined, source);
  const lineAt = lineCounter(source);
  const tokens: Token[] = [];
  // One entry per open brace: whether it is the `${` of a template, whose `}` continues the template's text.
  const braces: boolean[] = [];
  for (let kind = scanner.scan(); kind !== SyntaxKind.EndOfFile; kind = scanner.scan()) {
    kind = rescanned(scanner, kind, tokens.at(-1), braces);
    tokens.push({
      kind: tokenKind(kind),
      text: scanner.getTokenText(),
      value: scanner.getTokenValue(),
      line: lineAt(scanner.getTokenStart()),
    });
  }
  return tokens;
}

/** A scanner knows no grammar: regular expressions and the rest of a template are told apart from `/` and `}` by what stands before. */
function rescanned(scanner: Scanner, kind: SyntaxKind, previous: Token | undefined, braces: boolean[]): SyntaxKind {
  switch (kind) {
    case SyntaxKind.SlashToken:
    case SyntaxKind.SlashEqualsToken:
      return endsAnOperand(previous) ? kind : scanner.reScanSlashToken();
    case SyntaxKind.TemplateHead:
      braces.push(true);
      return kind;
    case SyntaxKind.OpenBraceToken:
      braces.push(false);
      return kind;
    case SyntaxKind.CloseBraceToken: {
      if (!braces.pop()) return kind;
      const rest = scanner.reScanTemplateToken(false);
      if (rest === SyntaxKind.TemplateMiddle) braces.push(true);
      return rest;
    }
    default:
      return kind;
  }
}

const beforeAnOperand = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'await',
  'yield',
  'new',
  'delete',
  'void',
  'else',
  'do',
]);

function endsAnOperand(token: Token | undefined): boolean {
  if (!token) return false;
  if (token.kind === 'word') return !beforeAnOperand.has(token.text);
  return token.kind === 'string' || /^[)\]}`0-9]|`$/.test(token.text);
}

function tokenKind(kind: SyntaxKind): Token['kind'] {
  if (kind === SyntaxKind.StringLiteral || kind === SyntaxKind.NoSubstitutionTemplateLiteral) return 'string';
  return kind === SyntaxKind.Identifier || (kind >= SyntaxKind.FirstKeyword && kind <= SyntaxKind.LastKeyword) ? 'word' : 'other';
}

/** For ascending positions only: counts on from the last one asked for. */
function lineCounter(source: string): (position: number) => number {
  let line = 1;
  let counted = 0;
  return position => {
    for (; counted < position; counted++) if (source[counted] === '\n') line++;
    return line;
  };
}
